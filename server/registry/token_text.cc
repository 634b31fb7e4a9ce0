#include "server/registry/token_text.h"

namespace alignsae {

absl::string_view PieceBytes(const Tokenizer& tokenizer, int32_t id) {
  if (id < 0 || id >= tokenizer.vocab_size()) return "";
  return tokenizer.TokenBytes(id);
}

absl::string_view TextBytes(const Tokenizer& tokenizer, int32_t id) {
  if (id < 0 || id >= tokenizer.vocab_size()) return "";
  return tokenizer.IsSpecial(id) ? "" : tokenizer.TokenBytes(id);
}

}  // namespace alignsae
