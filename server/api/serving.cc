#include "server/api/serving.h"

namespace alignsae {

// A model's vocabulary may be larger than its tokenizer's (padded weights).
absl::string_view PieceBytes(const Tokenizer& tokenizer, int32_t id) {
  if (id < 0 || id >= tokenizer.vocab_size()) return "";
  return tokenizer.TokenBytes(id);
}

absl::string_view TextBytes(const Tokenizer& tokenizer, int32_t id) {
  if (id < 0 || id >= tokenizer.vocab_size()) return "";
  return tokenizer.IsSpecial(id) ? "" : tokenizer.TokenBytes(id);
}

}  // namespace alignsae
