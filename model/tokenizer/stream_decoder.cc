#include "absl/strings/string_view.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/utf8.h"

namespace alignsae {

std::string StreamDecoder::Push(int32_t id) {
  absl::string_view bytes = tokenizer_->TokenBytes(id);
  pending_.append(bytes.data(), bytes.size());
  std::string text;
  absl::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Char c = ReadUtf8(rest);
    if (c.state == Utf8Char::kUnfinished) break;
    const absl::string_view out = c.state == Utf8Char::kWhole
                                      ? rest.substr(0, c.length)
                                      : kReplacementCharacter;
    text.append(out.data(), out.size());
    rest.remove_prefix(c.length);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return text;
}

std::string StreamDecoder::Finish() {
  // Push() keeps nothing but the beginning of one character.
  const bool is_empty = pending_.empty();
  pending_.clear();
  return is_empty ? std::string() : std::string(kReplacementCharacter);
}

}  // namespace alignsae
