// LoadRunner: sends a load to a server and notes how every call ends.
//
// Thread-safety: RunLoad is called from one thread; it runs its own.
// Errors: UNAVAILABLE when the server cannot be reached at the start;
// FAILED_PRECONDITION when it has no checkpoint to read or swap with.

#ifndef ALIGNSAE_CLIENT_LOAD_LOAD_RUNNER_H_
#define ALIGNSAE_CLIENT_LOAD_LOAD_RUNNER_H_

#include <vector>

#include "absl/status/statusor.h"
#include "client/load/load_options.h"
#include "client/load/load_report.h"

namespace alignsae {

struct LoadResult {
  std::vector<LoadSample> samples;   // Due within the measured time.
  std::vector<HealthSample> health;  // Checks within the measured time.
  double seconds = 0;                // Of measuring.
};

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LOAD_LOAD_RUNNER_H_
