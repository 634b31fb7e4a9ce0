// Options that several subcommands of `alignsae` have: the same flags, with the
// same meaning, into the same fields of CliOptions.
//
// Thread-safety: main's thread only.

#ifndef ALIGNSAE_CLIENT_CLI_COMMAND_OPTIONS_H_
#define ALIGNSAE_CLIENT_CLI_COMMAND_OPTIONS_H_

#include <CLI/CLI.hpp>

#include "client/cli/options.h"

namespace alignsae {

// Where the server is, who asks, and how the answer is printed.
void AddConnection(CLI::App& app, CliOptions& options);
// `many`: the command takes several prompts.
void AddPrompt(CLI::App* command, CliOptions& options, bool many);
void AddIds(CLI::App* command, CliOptions& options);
void AddCheckpoint(CLI::App* command, CliOptions& options);
// Where edits apply.
void AddSteering(CLI::App* command, CliOptions& options);
void AddGeneration(CLI::App* command, CliOptions& options);
// --save, for `replay`.
void AddSave(CLI::App* command, CliOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_COMMAND_OPTIONS_H_
