#include "client/cli/prompts.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr char kStandardInput[] = "-";
// More than any server takes as one prompt.
constexpr size_t kMaxPromptBytes = 16 << 20;

absl::Status Unreadable(absl::string_view path) {
  return absl::DataLossError(
      absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
}

absl::StatusOr<std::string> ReadWhole(std::FILE* file) {
  std::string text;
  std::array<char, 4096> buffer = {};
  while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), file)) {
    text.append(buffer.data(), n);
    if (text.size() > kMaxPromptBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt: must have at most ", kMaxPromptBytes,
                       " bytes, got more from standard input"));
    }
  }
  if (std::ferror(file) != 0) return Unreadable("standard input");
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return text;
}

}  // namespace

absl::StatusOr<PromptReader> PromptReader::Open(const CliOptions& options) {
  if (options.prompts.empty() == options.file.empty()) {
    return absl::InvalidArgumentError(
        options.file.empty()
            ? "prompt: must be given: as an argument, as - (standard input) or "
              "with --file"
            : "--file: must not be given beside a prompt");
  }
  PromptReader reader;
  reader.arguments_ = options.prompts;
  if (std::count(reader.arguments_.begin(), reader.arguments_.end(),
                 kStandardInput) > 1) {
    return absl::InvalidArgumentError(
        "prompt: - (standard input) must be given once");
  }
  if (options.file.empty()) return reader;
  const bool standard_input = options.file == kStandardInput;
  reader.path_ = standard_input ? "standard input" : options.file;
  reader.file_ =
      standard_input ? stdin : std::fopen(options.file.c_str(), "re");
  if (reader.file_ == nullptr) {
    return absl::NotFoundError(absl::StrCat(
        "--file: cannot open ", options.file, ": ", std::strerror(errno)));
  }
  return reader;
}

PromptReader::PromptReader(PromptReader&& other) noexcept
    : arguments_(std::move(other.arguments_)),
      next_(other.next_),
      file_(std::exchange(other.file_, nullptr)),
      path_(std::move(other.path_)),
      line_(other.line_) {}

PromptReader::~PromptReader() {
  if (file_ != nullptr && file_ != stdin) std::fclose(file_);
}

absl::StatusOr<std::optional<PromptReader::Prompt>> PromptReader::Next() {
  return file_ != nullptr ? NextLine() : NextArgument();
}

absl::StatusOr<std::optional<PromptReader::Prompt>>
PromptReader::NextArgument() {
  if (next_ == arguments_.size()) return std::nullopt;
  const std::string& argument = arguments_[next_++];
  if (argument != kStandardInput) return Prompt{argument, ""};
  ALIGNSAE_ASSIGN_OR_RETURN(std::string text, ReadWhole(stdin));
  return Prompt{std::move(text), ""};
}

absl::StatusOr<std::optional<PromptReader::Prompt>> PromptReader::NextLine() {
  char* buffer = nullptr;
  size_t capacity = 0;
  ssize_t size = 0;
  std::string text;
  do {
    errno = 0;
    size = getline(&buffer, &capacity, file_);
    ++line_;
    if (size >= 0) text.assign(buffer, static_cast<size_t>(size));
  } while (size >= 0 && absl::StripAsciiWhitespace(text).empty());
  std::free(buffer);  // NOLINT(cppcoreguidelines-no-malloc): getline's.
  if (size < 0) {
    if (std::ferror(file_) != 0) return Unreadable(path_);
    return std::nullopt;
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  return Prompt{std::move(text), absl::StrCat(path_, ":", line_)};
}

}  // namespace alignsae
