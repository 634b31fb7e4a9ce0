// Health checks at a steady pace, while a load runs.
//
// Thread-safety: a function; it returns when the time is over.
// Errors: none; a check that fails is a sample that says so.

#ifndef ALIGNSAE_CLIENT_LOAD_HEALTH_PROBE_H_
#define ALIGNSAE_CLIENT_LOAD_HEALTH_PROBE_H_

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "client/load/load.h"
#include "client/load/load_report.h"

namespace alignsae {

// One check each `every` from `begin` until `end` over `channel`, due whatever
// became of the one before; none when `every` is zero.
std::vector<HealthSample> ProbeHealth(
    const std::shared_ptr<grpc::Channel>& channel, absl::Duration every,
    LoadClock::time_point begin, LoadClock::time_point end);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LOAD_HEALTH_PROBE_H_
