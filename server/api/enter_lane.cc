#include "server/api/enter_lane.h"

#include <memory>
#include <utility>

#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {

WorkerPool& PoolOf(Lanes& lanes, Lane lane) {
  switch (lane) {
    case Lane::kInteractive:
      return lanes.interactive;
    case Lane::kBackground:
      return lanes.background;
    case Lane::kRoom:
      return lanes.room;
  }
  return lanes.interactive;
}

bool EndsAnyway(const Call& call) {
  return !call.WhyStop().ok() || call.env().models->refuses_new();
}

absl::Status LaneFull(const Call& call, Lane lane) {
  const bool interactive = lane == Lane::kInteractive;
  call.env().metrics->CountRejected(Rejection::kQueueFull);
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError(
                     interactive
                         ? "server: has too many requests waiting to be parsed"
                         : "server: has too much long work waiting (encodes of "
                           "whole SAEs, large answers); ask without top_k, for "
                           "less, or later"),
                 kReasonQueueFull),
      interactive ? absl::Milliseconds(200) : absl::Seconds(5));
}

absl::Status EnterLane(Call& call, Lane lane, int64_t request_bytes,
                       std::function<void()> run,
                       std::function<bool()> may_start) {
  // Nobody whom the policy does not know waits, or holds anything.
  ALIGNSAE_RETURN_IF_ERROR(call.status());
  ALIGNSAE_ASSIGN_OR_RETURN(MemoryBudget::Share share,
                            call.HoldRequest(request_bytes));
  // Shared, because a std::function is copied.
  const auto held = std::make_shared<MemoryBudget::Share>(std::move(share));
  const bool taken = PoolOf(*call.env().lanes, lane)
                         .TrySchedule({call.owner(),
                                       [held, &call, run = std::move(run)] {
                                         held->ShrinkTo(0);
                                         const WorkTime time(call);
                                         run();
                                       },
                                       std::move(may_start)});
  return taken ? absl::OkStatus() : LaneFull(call, lane);
}

}  // namespace alignsae
