// Labelled prompts as a model reads them: ids, and the positions that count.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT "<file>:<line>: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_TOKENS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_TOKENS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/prompt_file.h"

namespace alignsae {

struct PositionedPrompt {
  std::vector<int32_t> tokens;
  int position = 0;  // [0, tokens.size()): where it is read.
  int before = 0;    // Tokens before it that belong to the same text.

  // All positions of the text, rising; `position` is the last.
  std::vector<int> Span() const;
};

// In the set's order. `first`, where there is one, is put in front of every
// prompt; positions count without it. Refused: a prompt of no token or more
// than `context_length`; an id outside [0, vocab_size); a position outside the
// prompt; a position's text that is not one place of whole tokens
// (model/tokenizer/text_span.h).
absl::StatusOr<std::vector<PositionedPrompt>> TokenizePrompts(
    const PromptSet& set, const Tokenizer& tokenizer, int context_length,
    int vocab_size, std::optional<int32_t> first = std::nullopt);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_TOKENS_H_
