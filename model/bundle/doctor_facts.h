// doctor.json: what the writer of a checkpoint saw on stored prompts, so that a
// loader can tell a wrong site, scale, activation or tokenizer (doctor.h). Free
// of LibTorch.
//
//   {"format_version": 1, "prompts": [
//     {"text": "Q: ...", "token_ids": [5, 17], "residual_norm": 8.7,
//      "reconstruction_error": 0.21, "pre": [...], "values": [...]}]}
//
// A file of its own in the checkpoint's directory: a loader that does not know
// it only hashes it, and weights and cfg.json do not change with it.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "doctor.json: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_BUNDLE_DOCTOR_FACTS_H_
#define ALIGNSAE_MODEL_BUNDLE_DOCTOR_FACTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

inline constexpr char kDoctorFile[] = "doctor.json";
inline constexpr size_t kMaxDoctorPrompts = 64;

// Of the whole SAE at the last token of a prompt, in float32.
struct DoctorPrompt {
  std::string text;  // As it is tokenised, whatever template made it.
  std::vector<int32_t> token_ids;
  double residual_norm = 0;         // norm(h)
  double reconstruction_error = 0;  // norm(h^ - h) / norm(h)
  std::vector<float> pre, values;   // [R] each, in concept order.
};

struct DoctorFacts {
  std::vector<DoctorPrompt> prompts;  // 1 to kMaxDoctorPrompts.
};

// `concepts`: R.
absl::StatusOr<DoctorFacts> ParseDoctorFacts(absl::string_view json,
                                             int concepts);
std::string DoctorFactsToJson(const DoctorFacts& facts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_DOCTOR_FACTS_H_
