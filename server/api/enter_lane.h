// How the work of a call gets into a lane: with room for what waits, or with
// the reason why not.
//
// Threads: from any; they do not block.

#ifndef ALIGNSAE_SERVER_API_ENTER_LANE_H_
#define ALIGNSAE_SERVER_API_ENTER_LANE_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "server/api/call.h"
#include "server/process/lanes.h"

namespace alignsae {

enum class Lane { kInteractive, kBackground, kRoom };
WorkerPool& PoolOf(Lanes& lanes, Lane lane);

// Puts work of `call` into `lane`, where its request, of `request_bytes` bytes,
// is counted in the memory budget until it runs; `may_start` as in
// WorkerPool::NewWork. `run` must keep the call alive; its time is the call's.
// Call::status; RESOURCE_EXHAUSTED, and nothing is taken: reason MEMORY, or
// LaneFull.
absl::Status EnterLane(Call& call, Lane lane, int64_t request_bytes,
                       std::function<void()> run,
                       std::function<bool()> may_start = nullptr);

// Whether `call`, which waits, is to end whatever it waits for: nobody waits
// for it, or the server drains.
bool EndsAnyway(const Call& call);

// Why a call that finds its lane full is refused: reason QUEUE_FULL, counted.
absl::Status LaneFull(const Call& call, Lane lane);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_ENTER_LANE_H_
