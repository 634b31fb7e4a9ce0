#include "client/cli/own_program.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "model/base/posix_file.h"

namespace alignsae {

void AddVectors(CLI::App& app, absl::Status& result) {
  CLI::App* vectors = app.add_subcommand(
      "vectors",
      "Directions of a checkpoint as files (GGUF, .npy, .safetensors), control "
      "vectors as edits, which are alike: runs alignsae-vectors of "
      "client/python with all that follows");
  vectors->prefix_command()->fallthrough(false)->set_help_flag();
  vectors->callback([&result, vectors] {
    result = RunProgram("alignsae-vectors", vectors->remaining(),
                        "pip install 'client/python[vectors]' brings it");
  });
}

absl::Status RunProgram(const std::string& name,
                        const std::vector<std::string>& words,
                        const std::string& remedy) {
  std::vector<std::string> all = {name};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp(name.c_str(), argv.data());
  const int error = errno;
  if (error == ENOENT) {
    return absl::NotFoundError(
        absl::StrCat(name, ": must be in PATH, got none there; ", remedy));
  }
  return PosixError(name, "run", error);
}

}  // namespace alignsae
