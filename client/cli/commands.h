// The subcommands of `alignsae`.
//
// Thread-safety: used from main's thread only.

#ifndef ALIGNSAE_CLIENT_CLI_COMMANDS_H_
#define ALIGNSAE_CLIENT_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>

#include "absl/status/status.h"

namespace alignsae {

// Exit codes, after sysexits.h.
enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 64,        // INVALID_ARGUMENT, OUT_OF_RANGE, bad command line.
  kExitNotFound = 66,     // NOT_FOUND.
  kExitUnavailable = 69,  // UNAVAILABLE: no server, starting or draining.
  kExitInternal = 70,     // INTERNAL and everything else.
  kExitBusy = 75,         // RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED: try later.
  kExitConfig = 78,       // FAILED_PRECONDITION: not with what is loaded.
};
ExitCode ExitCodeOf(const absl::Status& status);

// Adds the options that all subcommands share and the subcommands. Once
// `app.parse` chose a subcommand it has run; its status is then in `result`.
void AddCommands(CLI::App& app, absl::Status& result);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_COMMANDS_H_
