// What each subcommand of `alignsae` does: one call, its answer on stdout.
//
// Thread-safety: used from main's thread only.
// Errors: INVALID_ARGUMENT for a bad argument, else the server's status.

#ifndef ALIGNSAE_CLIENT_CLI_RUN_H_
#define ALIGNSAE_CLIENT_CLI_RUN_H_

#include "absl/status/status.h"
#include "client/cli/options.h"

namespace alignsae {

absl::Status RunModel(const CliOptions& options);     // GetModel.
absl::Status RunConcepts(const CliOptions& options);  // ListConcepts.
absl::Status RunTokenize(const CliOptions& options);  // Tokenize.
absl::Status RunRead(const CliOptions& options);      // ReadConcepts.
absl::Status RunInspect(const CliOptions& options);   // InspectSlots.
absl::Status RunExplain(const CliOptions& options);   // ExplainSlot.
absl::Status RunSwap(const CliOptions& options);      // Swap.
absl::Status RunGenerate(
    const CliOptions& options);  // Generate: text flows as it comes.
absl::Status RunSweep(const CliOptions& options);   // SweepAlpha: a table when
                                                    // all cells are there.
absl::Status RunMatrix(const CliOptions& options);  // SwapMatrix.
absl::Status RunFindAlpha(const CliOptions& options);  // FindAlpha.
// Of OperatorService; what serves then.
absl::Status RunCheckpoints(const CliOptions& options);  // ListCheckpoints.
absl::Status RunLoad(const CliOptions& options);         // LoadCheckpoint.
absl::Status RunUnload(const CliOptions& options);       // UnloadCheckpoint.
absl::Status RunReload(const CliOptions& options);       // ReloadModel.
absl::Status RunUnloadModel(const CliOptions& options);  // UnloadModel.
absl::Status RunRollout(const CliOptions& options);      // SetRollout.
// Swap or Complete once more, and what is other than it was.
absl::Status RunReplay(const CliOptions& options);
// WatchSlots, again and again: a table a second.
absl::Status RunWatch(const CliOptions& options);
absl::Status RunValidate(const CliOptions& options);  // ValidateBinding.

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_RUN_H_
