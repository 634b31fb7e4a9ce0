// Utf8Stream: bytes in, valid UTF-8 out. Bytes of an unfinished character are
// held back until it is whole; what can never become a character is given out
// as U+FFFD. For bytes what StreamDecoder is for tokens: generated text passes
// the stop-sequence matcher first, which cuts between bytes.
//
// Thread-safety: one stream, one thread.

#ifndef ALIGNSAE_SERVER_API_UTF8_STREAM_H_
#define ALIGNSAE_SERVER_API_UTF8_STREAM_H_

#include <string>

#include "absl/strings/string_view.h"

namespace alignsae {

class Utf8Stream {
 public:
  // The text that `bytes` complete.
  std::string Push(absl::string_view bytes);
  // What is held back, as U+FFFD.
  std::string Finish();

 private:
  std::string held_;
};

// All of `bytes`.
std::string ToUtf8(absl::string_view bytes);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_UTF8_STREAM_H_
