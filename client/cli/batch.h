// A command for each of its prompts: one, or a batch.
//
// Thread-safety: main's thread only.

#ifndef ALIGNSAE_CLIENT_CLI_BATCH_H_
#define ALIGNSAE_CLIENT_CLI_BATCH_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/options.h"

namespace alignsae {

// The prompts of a command that takes several at once, without --file.
absl::StatusOr<std::vector<std::string>> AllPrompts(const CliOptions& options);

// Connects and does `one` for each prompt. In a batch (--file) a prompt that
// fails is told of on standard error with its line, with --json also as an
// object {"place", "error"} in its place among the answers, and the next one
// follows; the result has the code of the first failure and counts them. A
// server that is not there, or an output that takes no more, ends it. `after`,
// if there is one, follows the first prompt that succeeded.
absl::Status ForEachPrompt(
    const CliOptions& options,
    const std::function<absl::Status(Client&, const std::string&)>& one,
    const std::function<void(Client&)>& after = nullptr);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_BATCH_H_
