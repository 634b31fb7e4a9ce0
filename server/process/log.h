// Structured log lines on stderr: `ts=... level=info event=rpc method=... `.
//
// One line for each event, keys and values only, values quoted where they need
// it, so that no request can forge a line. Prompts and answers are never
// logged.
//
// A thread of its own writes. Lines that it has not come to wait in a bounded
// queue; when whoever reads stderr is too slow for it, or has stopped, the
// oldest go and are counted. Nobody who logs waits, and nothing else does.
//
// Thread-safety: InitLogging before threads; the rest from any thread.
//
// Example:
//   LogLine(LogLevel::kInfo, "rpc").Add("method", method).Add("code", "OK");

#ifndef ALIGNSAE_SERVER_PROCESS_LOG_H_
#define ALIGNSAE_SERVER_PROCESS_LOG_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace alignsae {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// `level`: debug, info, warning or error; anything else is info.
void InitLogging(absl::string_view level);
// Blocks until every line is written that was made before, at most for
// `patience`. Whether it is: false when nobody reads stderr.
bool FlushLog(absl::Duration patience);
// Lines that nobody will see.
int64_t LogLinesDropped();

// Goes to the log when the object goes; never waits. Makes no text when its
// level is off.
class LogLine {
 public:
  LogLine(LogLevel level, absl::string_view event);
  ~LogLine();
  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;

  LogLine& Add(absl::string_view key, absl::string_view value);
  LogLine& Add(absl::string_view key, const std::string& value) {
    return Add(key, absl::string_view(value));
  }
  LogLine& Add(absl::string_view key, const char* value) {
    return Add(key, absl::string_view(value));
  }
  template <typename Number>
  LogLine& Add(absl::string_view key, Number value) {
    return enabled_ ? Add(key, absl::string_view(absl::StrCat(value))) : *this;
  }

  // What will be written.
  const std::string& text() const { return line_; }

 private:
  const LogLevel level_;
  const bool enabled_;
  std::string line_;
};

// The value as it appears in a line: bare when it is harmless, else quoted with
// escapes. At most 1 KiB.
std::string LogValue(absl::string_view value);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_LOG_H_
