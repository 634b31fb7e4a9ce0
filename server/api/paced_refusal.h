// How a call is told that there is no room for it: at once, or, when its origin
// has been told when to ask again and did not wait, at that time (RefusalPace).
//
// A call that waits so long is in the lane for room, on no thread, and its
// request counts in the memory budget; where either is full it is told at once.
// Ends that are no refusals (RESOURCE_EXHAUSTED with a time to ask again) are
// never kept back.
//
// Threads: from any; they do not block. What tells runs there, or in the lane.

#ifndef ALIGNSAE_SERVER_API_PACED_REFUSAL_H_
#define ALIGNSAE_SERVER_API_PACED_REFUSAL_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "server/api/call.h"

namespace alignsae {

// Runs `tell`, which ends `call` with `status`. `request_bytes`: of the
// request.
void TellPaced(const std::shared_ptr<Call>& call, const absl::Status& status,
               int64_t request_bytes, const std::function<void()>& tell);

// Takes the end of a call. Exactly once.
using Done = std::function<void(const absl::Status&)>;

// A Done that tells refusals so.
Done PacedDone(std::shared_ptr<Call> call, int64_t request_bytes, Done done);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PACED_REFUSAL_H_
