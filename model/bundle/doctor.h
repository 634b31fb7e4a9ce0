// The hook-point doctor: whether a checkpoint reads this model, at this site,
// with this scale, activation and tokenizer, as it did when it was written.
//
// The writer records what it saw on stored prompts (doctor_facts.h); a loader
// runs them again and compares, at the last token of each:
//
//   slots           pre-activations and values of the concept slots
//   reconstruction  the error of the whole SAE
//   residual        norm(h)
//
// The deviation of each is norm(now - recorded) / norm(recorded) over all
// prompts; more than kDoctorLimit of any is refused, and what would fit is
// named: the site whose residuals read as recorded, or the scale. The demo
// bundle in bf16 deviates by 0.004 at most and in int8 by 0.027 (in its
// reconstruction); its nearest other hook point, by 0.66 (2026-11-26).
//
// A checkpoint whose concepts alone are loaded is read whole for this while its
// file is small; of a larger one the reconstruction is not compared, and so not
// the activation of free features.
//
// Thread-safety: free functions; they run the model on the calling thread.
// Errors: FAILED_PRECONDITION "doctor.json: <field>: must be ..., got ...".

#ifndef ALIGNSAE_MODEL_BUNDLE_DOCTOR_H_
#define ALIGNSAE_MODEL_BUNDLE_DOCTOR_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/bundle/doctor_facts.h"
#include "model/sae/sae.h"
#include "model/steering/hook_point.h"
#include "model/tokenizer/tokenizer.h"
#include "model/transformer/transformer.h"

namespace alignsae {

inline constexpr double kDoctorLimit = 0.1;

struct DoctorSubject {
  const Transformer& model;
  const Tokenizer& tokenizer;
  const Sae& sae;
};

struct Recorded {
  DoctorFacts facts;
  // The other site whose residuals deviate least from what was recorded.
  HookPoint nearest;
  double nearest_deviation = 0;
};
// What the doctor would compare, of texts that are tokenised as they are. The
// SAE must be whole.
absl::StatusOr<Recorded> RecordFacts(const DoctorSubject& subject,
                                     const std::vector<std::string>& texts);

// OK also where `directory`, the checkpoint's, has no doctor.json: then, and
// where not all could be compared, `notes` gets a sentence.
absl::Status ExamineCheckpoint(const std::string& directory,
                               const DoctorSubject& subject,
                               std::vector<std::string>& notes);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_DOCTOR_H_
