#include "model/terminal/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/terminal/exit_code.h"

namespace alignsae {
namespace {

// errno of what failed first on standard output; 0: nothing, or unknown.
int first_failure = 0;

int WidthOf(std::FILE* out) {
  const char* columns = std::getenv("COLUMNS");
  int width = 0;
  if (columns != nullptr && absl::SimpleAtoi(columns, &width) && width > 0) {
    return width;
  }
  struct winsize size = {};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

bool ShowsColour(std::FILE* out) {
  const char* unwanted = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  return isatty(fileno(out)) != 0 &&
         (unwanted == nullptr || unwanted[0] == '\0') && kind != nullptr &&
         std::strcmp(kind, "dumb") != 0;
}

}  // namespace

Look LookOf(std::FILE* out) { return {WidthOf(out), ShowsColour(out)}; }

std::string Styled(absl::string_view text, Style style, const Look& look) {
  if (!look.colour || style == Style::kPlain || text.empty()) {
    return std::string(text);
  }
  const int code = style == Style::kBold    ? 1
                   : style == Style::kDim   ? 2
                   : style == Style::kGreen ? 32
                                            : 33;
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

void WriteStdout(absl::string_view text) {
  errno = 0;
  const size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written < text.size() && first_failure == 0) first_failure = errno;
}

absl::Status CheckStdout() {
  errno = 0;
  if (std::fflush(stdout) != 0 && first_failure == 0) first_failure = errno;
  if (std::ferror(stdout) == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "standard output: cannot be written",
      first_failure != 0 ? absl::StrCat(": ", std::strerror(first_failure))
                         : "",
      "; what arrived is not whole"));
}

int FinishStdout(const char* program, int code) {
  const absl::Status status = CheckStdout();
  if (status.ok()) return code;
  // One sentence for one fault.
  if (code == kExitOutput) return code;
  std::fprintf(stderr, "%s: %s\n", program,
               std::string(status.message()).c_str());
  return kExitOutput;
}

}  // namespace alignsae
