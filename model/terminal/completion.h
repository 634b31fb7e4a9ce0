// Scripts that complete a program's words in a shell, from its command line.
//
// Commands, flags and the values that a flag may have are in the script. Names
// of concepts (options of the type kConceptType) are the server's: the script
// asks the running one for them, and completes none where there is none.
//
// Thread-safety: pure function.

#ifndef ALIGNSAE_MODEL_TERMINAL_COMPLETION_H_
#define ALIGNSAE_MODEL_TERMINAL_COMPLETION_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/string_view.h"

namespace alignsae {

// `shell` is bash, zsh or fish.
std::string CompletionScript(const CLI::App& app, absl::string_view shell);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TERMINAL_COMPLETION_H_
