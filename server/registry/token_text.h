// The bytes of tokens, for ids that the tokenizer may not know: a model's
// vocabulary may be larger than its tokenizer's (padded weights).
//
// Thread-safety: free functions. The bytes belong to the tokenizer.

#ifndef ALIGNSAE_SERVER_REGISTRY_TOKEN_TEXT_H_
#define ALIGNSAE_SERVER_REGISTRY_TOKEN_TEXT_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "model/tokenizer/tokenizer.h"

namespace alignsae {

// The bytes of a token as generated text: none for special tokens.
absl::string_view TextBytes(const Tokenizer& tokenizer, int32_t id);
// The bytes of a token, special or not; none for ids without.
absl::string_view PieceBytes(const Tokenizer& tokenizer, int32_t id);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_TOKEN_TEXT_H_
