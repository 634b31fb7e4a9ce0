#include "model/scheduler/admission.h"

#include <algorithm>
#include <utility>

#include "model/base/dcheck.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "model/scheduler/endings.h"

namespace alignsae {
namespace {

// Under overload every request that is taken is one that just fits; half of
// them would be dropped after all their waiting if the prediction were taken as
// it is.
constexpr double kWaitMargin = 1.25;

// Not so short that clients hammer, not so long that they give up.
absl::Duration RetryDelay(absl::Duration predicted_wait) {
  return std::clamp(predicted_wait, absl::Milliseconds(200), absl::Seconds(10));
}

}  // namespace

absl::Status Admission::Check(const RequestSpec& spec, absl::Time now) {
  if (refuse_new_) return Draining();
  const int count = static_cast<int>(spec.sequences.size());
  if (spec.grouping == Grouping::kTogether && count > kv_slots_) {
    return TooManyTogether(kv_slots_, count);
  }
  if (now >= spec.deadline) return DeadlinePassed();
  const absl::Duration wait =
      queue_.PredictWait(spec.client, count, free_kv_slots_, kv_slots_);
  // One that need not wait is always tried: nothing else would tell that the
  // machine has become faster.
  const absl::Duration run = wait > absl::ZeroDuration()
                                 ? queue_.PredictRun(spec)
                                 : absl::ZeroDuration();
  if (now + wait * kWaitMargin + run > spec.deadline) {
    return WithRetryAfter(DeadlineTooSoon(wait, run, spec.deadline - now),
                          RetryDelay(wait));
  }
  // Last, because it displaces others when it succeeds.
  absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>> displaced =
      queue_.MakeRoom(spec);
  if (!displaced.ok()) {
    return WithRetryAfter(displaced.status(), RetryDelay(wait));
  }
  displaced_.insert(displaced_.end(), displaced->begin(), displaced->end());
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<ActiveRequest>> Admission::Take(
    RequestSpec spec, std::shared_ptr<RequestSink> sink, absl::Time now) {
  ALIGNSAE_RETURN_IF_ERROR(Check(spec, now));
  auto request =
      std::make_shared<ActiveRequest>(std::move(spec), std::move(sink), now);
  queue_.Push(request);
  return request;
}

bool Admission::IsHopeless(const ActiveRequest& request, absl::Time now) const {
  // One that no step has passed over is tried: see Check.
  return !request.started && request.submitted < last_given_out_ &&
         now + queue_.PredictRun(request.spec) > request.spec.deadline;
}

std::vector<Admission::Dropped> Admission::Sweep(absl::Time now,
                                                 bool ending_all) {
  std::vector<Dropped> dropped;
  for (std::shared_ptr<ActiveRequest>& request : displaced_) {
    dropped.push_back({std::move(request), Displaced()});
  }
  displaced_.clear();
  const auto why_drop = [&](const ActiveRequest& request) {
    const absl::Status why = WhyEnd(request, now, ending_all);
    return why.ok() && IsHopeless(request, now) ? Hopeless() : why;
  };
  const std::vector<QueuedUnit> removed =
      queue_.RemoveIf([&](const ActiveRequest& request) {
        return request.ended || !why_drop(request).ok();
      });
  for (const QueuedUnit& unit : removed) {
    // The units of one request lie side by side.
    const bool same =
        !dropped.empty() && dropped.back().request == unit.request;
    if (unit.request->ended || same) continue;
    dropped.push_back({unit.request, why_drop(*unit.request)});
  }
  return dropped;
}

std::vector<QueuedUnit> Admission::GiveOut(int free_kv_slots, absl::Time now) {
  std::vector<QueuedUnit> starting;
  while (std::optional<QueuedUnit> unit = queue_.Pop(free_kv_slots)) {
    free_kv_slots -= static_cast<int>(unit->sequences.size());
    ALIGNSAE_DCHECK(free_kv_slots >= 0);
    starting.push_back(*std::move(unit));
  }
  free_kv_slots_ = free_kv_slots;
  last_given_out_ = now;
  return starting;
}

}  // namespace alignsae
