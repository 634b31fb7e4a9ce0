// One character of UTF-8 at a time, strictly: no overlong forms, no surrogates,
// nothing above U+10FFFF.
//
// Thread-safety: pure functions.
// Errors: none; what is not a character is described by Utf8Char::state.

#ifndef ALIGNSAE_MODEL_TOKENIZER_UTF8_H_
#define ALIGNSAE_MODEL_TOKENIZER_UTF8_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace alignsae {

inline constexpr absl::string_view kReplacementCharacter = "\xef\xbf\xbd";

struct Utf8Char {
  enum State {
    kWhole,      // `code_point` in `length` bytes.
    kBad,        // The first `length` bytes cannot begin a character: the
                 // "maximal subpart" for which Unicode gives one U+FFFD.
    kUnfinished  // All `length` bytes left are the beginning of a character.
  };
  State state = kBad;
  size_t length = 1;
  char32_t code_point = 0;
};

// The first character of `text`, which is not empty.
Utf8Char ReadUtf8(absl::string_view text);

// Appends `code_point`, below U+0800, to `out`.
void AppendUtf8(char32_t code_point, std::string& out);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_UTF8_H_
