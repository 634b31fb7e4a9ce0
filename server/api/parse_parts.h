// Parts of requests that several RPCs share. Implementation of parse.h; see
// there for the errors. `field` is the path of the part in the request, for
// messages ("prompts[2]").
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_PARSE_PARTS_H_
#define ALIGNSAE_SERVER_API_PARSE_PARTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "server/api/parse.h"

namespace alignsae {

// INVALID_ARGUMENT "<field>: must <rule>, got <value>".
template <typename Value>
absl::Status Invalid(absl::string_view field, absl::string_view rule,
                     const Value& value) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": must ", rule, ", got ", value));
}

// Token ids of a prompt: at least one, at most the context's length.
absl::StatusOr<std::vector<int32_t>> ParsePrompt(const v1::Prompt& prompt,
                                                 absl::string_view field,
                                                 const ParseEnv& env);
// The text of a prompt with the template applied.
absl::StatusOr<std::string> ApplyTemplate(absl::string_view question,
                                          absl::string_view field,
                                          const ParseEnv& env);
// Whether a text is as long as one may be.
absl::Status CheckTextBytes(absl::string_view text, absl::string_view field,
                            const ParseEnv& env);

// Index of a checkpoint; of the first one when `name` is empty.
absl::StatusOr<int> FindCheckpoint(absl::string_view name,
                                   absl::string_view field,
                                   const ParseEnv& env);

// FAILED_PRECONDITION when the checkpoint is a plain SAE: nothing to read.
absl::Status CheckHasConcepts(int checkpoint, absl::string_view field,
                              const ParseEnv& env);

// Positions of a prompt. `unspecified` is what PROMPT_SELECTION_UNSPECIFIED
// means.
absl::StatusOr<ResolvedPositions> ParsePositions(
    const v1::PositionSelection& wire, absl::string_view field,
    PositionSelection::Prompt unspecified, int prompt_length);

// One intervention; `checkpoint` is the request's, for those that name none.
absl::StatusOr<Intervention> ParseIntervention(const v1::Intervention& wire,
                                               absl::string_view field,
                                               std::optional<int> checkpoint,
                                               int prompt_length,
                                               const ParseEnv& env);

// The settings of one sequence without its prompt and interventions.
absl::StatusOr<SequenceSpec> ParseGenerationConfig(
    const v1::GenerationConfig& wire, int prompt_length, uint64_t seed,
    const ParseEnv& env);

// Bytes of one arm of an answer at most, a little rounded up.
int64_t ArmBytes(const SequenceSpec& sequence, const ParseEnv& env);

// INVALID_ARGUMENT when an answer of about `bytes` bytes is larger than a
// message may be. `field` is what the caller can make smaller.
absl::Status CheckReplyBytes(int64_t bytes, absl::string_view field,
                             const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_PARTS_H_
