// validation.jsonl in a checkpoint's directory: labelled prompts to check it
// with while it is served. Its lines are those of model/base/labelled_line.h,
// of one concept or none, without token ids, split and group:
//
//   {"prompt": "Q: Where was Ann born?\nA:", "concept": "birth_city",
//    "answer": "Oslo", "targets": {"employer": "Acme"}}
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT "<file>:<line>: <key>: must be <rule>, got <value>";
// those of ReadFile.

#ifndef ALIGNSAE_MODEL_BUNDLE_VALIDATION_PROMPTS_H_
#define ALIGNSAE_MODEL_BUNDLE_VALIDATION_PROMPTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/bundle/manifest.h"
#include "model/steering/concept.h"
#include "model/steering/validation_prompt.h"

namespace alignsae {

inline constexpr char kValidationFile[] = "validation.jsonl";
inline constexpr size_t kMaxValidationPrompts = 8192;

// None where there is no such file. Concepts and targets are among `concepts`.
absl::StatusOr<std::vector<ValidationPrompt>> ReadValidationPrompts(
    const std::string& directory, absl::Span<const Concept> concepts);

// Those of bundle.json that ask one of `concepts`, for a checkpoint without the
// file.
std::vector<ValidationPrompt> ValidationPromptsOf(
    const Manifest& manifest, absl::Span<const Concept> concepts);

std::string ValidationPromptsToJsonl(
    absl::Span<const ValidationPrompt> prompts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_VALIDATION_PROMPTS_H_
