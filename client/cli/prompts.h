// The prompts of a command line: its arguments, standard input, or a file.
//
//   TEXT        a prompt
//   -           standard input is the prompt, whole, less its last line's end
//   --file F    each line of F is a prompt, blank ones are none; "-" is
//               standard input. Read as they are needed, so that a pipe's other
//               end may be slow
//
// Thread-safety: one thread.
// Errors: INVALID_ARGUMENT names the argument or the file; NOT_FOUND: no such
// file; DATA_LOSS: it cannot be read to its end.

#ifndef ALIGNSAE_CLIENT_CLI_PROMPTS_H_
#define ALIGNSAE_CLIENT_CLI_PROMPTS_H_

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/options.h"

namespace alignsae {

class PromptReader {
 public:
  struct Prompt {
    std::string text;
    std::string place;  // "questions.txt:3"; empty for an argument.
  };

  static absl::StatusOr<PromptReader> Open(const CliOptions& options);
  PromptReader(PromptReader&& other) noexcept;
  PromptReader& operator=(PromptReader&&) = delete;
  ~PromptReader();

  // nullopt: there are no more.
  absl::StatusOr<std::optional<Prompt>> Next();

 private:
  PromptReader() = default;
  absl::StatusOr<std::optional<Prompt>> NextArgument();
  absl::StatusOr<std::optional<Prompt>> NextLine();

  std::vector<std::string> arguments_;
  size_t next_ = 0;            // Argument.
  std::FILE* file_ = nullptr;  // Of --file.
  std::string path_;
  int line_ = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_PROMPTS_H_
