// Parts of requests that several RPCs share: prompts and checkpoints. See
// parse_env.h for the errors; paths are relative to the part.
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
#include "absl/strings/string_view.h"
#include "alignsae/v1/common.pb.h"
#include "model/tokenizer/prompt_template.h"
#include "server/api/parse_env.h"

namespace alignsae {

// Token ids of a prompt: at least one, at most the context's length.
absl::StatusOr<std::vector<int32_t>> ParsePrompt(const v1::Prompt& prompt,
                                                 const ParseEnv& env);
// The text of a prompt: a question with the template applied.
absl::StatusOr<FilledTemplate> ApplyTemplate(absl::string_view question,
                                             const ParseEnv& env);
// Whether a text is as long as one may be.
absl::Status CheckTextBytes(absl::string_view text, const ParseEnv& env);

// Where a prompt is read: at `position`, which may count from the end (default:
// the last token), or at the tokens of `text` where that is not empty. `name`
// is the prompt's field, for messages.
struct ReadPosition {
  std::vector<int> span;  // Rising, at least one; what edits are about.

  // The positions whose mean is the reading.
  std::vector<int> Read(bool mean) const {
    return mean ? span : std::vector<int>{span.back()};
  }
};
absl::StatusOr<ReadPosition> ParseReadPosition(
    std::optional<int> position, const std::string& text,
    const std::vector<int32_t>& prompt, absl::string_view name,
    const ParseEnv& env);

// Whether a reading by a text is the mean over its tokens unless the request
// says otherwise: as the checkpoint was trained.
bool ReadsSpans(int checkpoint, const ParseEnv& env);

// Index of a checkpoint; of the default one when `name` is empty.
absl::StatusOr<int> FindCheckpoint(absl::string_view name, const ParseEnv& env);

// FAILED_PRECONDITION when the checkpoint is a plain SAE: nothing to read.
absl::Status CheckHasConcepts(int checkpoint, const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_PARTS_H_
