// How text from files and requests appears in error messages.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_BASE_QUOTE_H_
#define ALIGNSAE_MODEL_BASE_QUOTE_H_

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace alignsae {

// `text` in double quotes on one line: control characters, quotes and
// backslashes escaped, cut (with "...") after about `max_bytes` bytes at a
// character's end. `text` is UTF-8, as is everything that ParseJson and
// protobuf hand out.
inline std::string Quoted(absl::string_view text, size_t max_bytes = 64) {
  size_t size = text.size();
  if (size > max_bytes) {
    size = max_bytes;
    // A byte 10xxxxxx continues a character: step back to where one starts.
    while (size > 0 &&
           (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) {
      --size;
    }
  }
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text.substr(0, size)),
                      size < text.size() ? "\"..." : "\"");
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_QUOTE_H_
