// Subcommands of `alignsae` that are programs of their own, as git has them:
// `alignsae vectors ...` runs `alignsae-vectors ...`, found in PATH.
//
// Thread-safety: used from main's thread only.

#ifndef ALIGNSAE_CLIENT_CLI_OWN_PROGRAM_H_
#define ALIGNSAE_CLIENT_CLI_OWN_PROGRAM_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace alignsae {

// Adds the subcommand `vectors`. Every word behind it, --help too, is the
// program's; flags before it are not passed on. `result` is that of RunProgram.
void AddVectors(CLI::App& app, absl::Status& result);

// Becomes the program `name` with `words`, and does not return. NOT_FOUND with
// `remedy` where PATH has none, PERMISSION_DENIED and others where it cannot be
// run.
absl::Status RunProgram(const std::string& name,
                        const std::vector<std::string>& words,
                        const std::string& remedy);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_OWN_PROGRAM_H_
