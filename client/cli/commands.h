// The subcommands of `alignsae`.
//
// Thread-safety: used from main's thread only.

#ifndef ALIGNSAE_CLIENT_CLI_COMMANDS_H_
#define ALIGNSAE_CLIENT_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "model/terminal/exit_code.h"

namespace alignsae {

ExitCode ExitCodeOf(const absl::Status& status);

// Adds the options that all subcommands share and the subcommands. Once
// `app.parse` chose a subcommand it has run; its status is then in `result`.
void AddCommands(CLI::App& app, absl::Status& result);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_COMMANDS_H_
