#include "server/api/utf8_stream.h"

#include "absl/strings/str_cat.h"
#include "model/tokenizer/utf8.h"

namespace alignsae {

std::string Utf8Stream::Push(absl::string_view bytes) {
  held_.append(bytes.data(), bytes.size());
  std::string text;
  absl::string_view rest = held_;
  while (!rest.empty()) {
    const Utf8Char next = ReadUtf8(rest);
    if (next.state == Utf8Char::kUnfinished) break;
    absl::StrAppend(&text, next.state == Utf8Char::kWhole
                               ? rest.substr(0, next.length)
                               : kReplacementCharacter);
    rest.remove_prefix(next.length);
  }
  held_.erase(0, held_.size() - rest.size());
  return text;
}

std::string Utf8Stream::Finish() {
  const bool nothing = held_.empty();
  held_.clear();
  return nothing ? "" : std::string(kReplacementCharacter);
}

std::string ToUtf8(absl::string_view bytes) {
  Utf8Stream stream;
  std::string text = stream.Push(bytes);
  text += stream.Finish();
  return text;
}

}  // namespace alignsae
