// Where a text stands in a prompt, in tokens: how a request or a labelled
// prompt names a person or a phrase instead of positions.
//
// The rule: the text is not empty, stands once in the prompt (as the prompt's
// tokens spell it, the template included), and both of its ends lie between two
// tokens. A blank before it may belong to its first token, as tokens begin with
// theirs.
//
// Thread-safety: free function.

#ifndef ALIGNSAE_MODEL_TOKENIZER_TEXT_SPAN_H_
#define ALIGNSAE_MODEL_TOKENIZER_TEXT_SPAN_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/tokenizer/tokenizer.h"

namespace alignsae {

// Tokens [start, stop), at least one.
struct TextSpan {
  int start = 0;
  int stop = 0;
};

// Errors: a FieldError of the text itself (its path is empty).
absl::StatusOr<TextSpan> FindTextSpan(absl::string_view text,
                                      absl::Span<const int32_t> prompt,
                                      const Tokenizer& tokenizer);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_TEXT_SPAN_H_
