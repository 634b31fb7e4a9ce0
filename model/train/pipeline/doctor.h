// Records what a bundle's checkpoints read on stored prompts, for the doctor of
// whoever loads them (model/bundle/doctor.h).
//
// The prompts are those of bundle.json that name a concept of the checkpoint,
// else its concepts' examples in the bundle's template; 24 at most. They are
// run in float32.
//
// Thread-safety: as WriteBundleAtomically.
// Errors: as LoadBundle and the writer.

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_DOCTOR_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_DOCTOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/steering/hook_point.h"

namespace alignsae {

// Of one checkpoint.
struct DoctorRecord {
  std::string checkpoint;
  HookPoint hook;
  int prompts = 0;  // 0: there are none to store, and no doctor.json.
  // The other hook point that reads them most alike; what deviates by less than
  // kDoctorLimit cannot be told from this one.
  HookPoint nearest;
  double nearest_deviation = 0;
};

// For a writer: `directory` is complete, and has it in a file more afterwards,
// with bundle.json's hashes anew.
absl::StatusOr<std::vector<DoctorRecord>> RecordDoctorFacts(
    const std::string& directory);

// Writes the bundle anew with it. Nothing else changes.
absl::StatusOr<std::vector<DoctorRecord>> AddDoctorFacts(
    const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_DOCTOR_H_
