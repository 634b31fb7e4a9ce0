#include "server/api/paced_refusal.h"

#include <optional>
#include <utility>

#include "model/base/status_payload.h"
#include "server/api/enter_lane.h"

namespace alignsae {
namespace {

// Whether `tell` was put off until `at`. Not EnterLane, which would count a
// refusal of its own.
bool PutOff(const std::shared_ptr<Call>& call, absl::Time at,
            int64_t request_bytes, const std::function<void()>& tell) {
  const RpcEnv& env = call->env();
  std::optional<MemoryBudget::Share> share =
      env.memory->requests.TryTake(call->owner(), request_bytes);
  if (!share.has_value()) return false;
  call->HoldOnly(0);
  // Shared, because a std::function is copied.
  const auto held = std::make_shared<MemoryBudget::Share>(*std::move(share));
  return env.lanes->room.TrySchedule({call->owner(), [held, tell] { tell(); },
                                      [call, at] {
                                        return call->env().clock->Now() >= at ||
                                               EndsAnyway(*call);
                                      }});
}

}  // namespace

void TellPaced(const std::shared_ptr<Call>& call, const absl::Status& status,
               int64_t request_bytes, const std::function<void()>& tell) {
  const std::optional<absl::Duration> retry_after = RetryAfterOf(status);
  RefusalPace* const pace = call->env().refusal_pace;
  if (pace != nullptr && absl::IsResourceExhausted(status) &&
      retry_after.has_value()) {
    const absl::Time now = call->env().clock->Now();
    const absl::Time at = pace->TellAt(call->owner().origin, *retry_after, now);
    if (at > now && PutOff(call, at, request_bytes, tell)) return;
  }
  tell();
}

Done PacedDone(std::shared_ptr<Call> call, int64_t request_bytes, Done done) {
  return [call = std::move(call), request_bytes,
          done = std::move(done)](const absl::Status& status) {
    TellPaced(call, status, request_bytes, [done, status] { done(status); });
  };
}

}  // namespace alignsae
