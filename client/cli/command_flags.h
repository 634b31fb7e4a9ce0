// Flags that several subcommands of `alignsae` have, added in one place each.
//
// Thread-safety: none. `options` outlives the parsing.

#ifndef ALIGNSAE_CLIENT_CLI_COMMAND_FLAGS_H_
#define ALIGNSAE_CLIENT_CLI_COMMAND_FLAGS_H_

#include <CLI/CLI.hpp>

#include "client/cli/options.h"

namespace alignsae {

// Where the server is, who asks, and how long it may take: of all subcommands.
void AddConnection(CLI::App& app, CliOptions& options);
// `many`: several prompts may be given.
void AddPrompt(CLI::App* command, CliOptions& options, bool many);
// The prompt as token ids.
void AddIds(CLI::App* command, CliOptions& options);
void AddCheckpoint(CLI::App* command, CliOptions& options);
// Where the edits are, and their condition.
void AddSteering(CLI::App* command, CliOptions& options);
// Limits of the steered arm; and with them, what is told of side effects.
void AddGuard(CLI::App* command, CliOptions& options);
void AddSideEffects(CLI::App* command, CliOptions& options);
// How tokens are chosen, how many, and what is told of them.
void AddGeneration(CLI::App* command, CliOptions& options);
// For `replay`.
void AddSave(CLI::App* command, CliOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_COMMAND_FLAGS_H_
