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
  const int at_once = SlotsAtOnce(spec);
  if (at_once > kv_slots_) return TooManyTogether(kv_slots_, at_once);
  if (now >= spec.deadline) return DeadlinePassed();
  const absl::Duration wait =
      StartsAtOnce(spec) ? absl::ZeroDuration()
                         : queue_.PredictWait(spec, free_kv_slots_, kv_slots_);
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

bool Admission::StartsAtOnce(const RequestSpec& spec) const {
  return rules_.kept > 0 && IsSmall(spec) &&
         static_cast<int>(spec.sequences.size()) <= free_kv_slots_ &&
         queue_.NoSmallWaits();
}

int Admission::ShareOf(const QueuedUnit& unit) const {
  return held_.ShareOf(unit, rules_, queue_.clients() > 1,
                       queue_.origins() > 1);
}

bool Admission::GivesWay(const QueuedUnit& front) const {
  if (rules_.kept == 0 || IsSmall(front.request->spec)) return false;
  // What needs more together than may be large waits until nothing else is.
  const bool needs_all = PartSize(front, 1) > kv_slots_ - rules_.kept;
  return !needs_all || held_.large() > 0;
}

std::optional<QueuedUnit> Admission::NextUnit(int free_kv_slots,
                                              const SavedFn& saved) {
  if (free_kv_slots < 1) return std::nullopt;
  for (int turns = queue_.clients(); turns > 0; --turns) {
    queue_.SettleTurn(free_kv_slots);
    const QueuedUnit& front = *queue_.Front();
    const int share = ShareOf(front);
    if (share == 0) {
      queue_.PassTurn();
      continue;
    }
    const bool gives_way = GivesWay(front);
    const int for_large = kv_slots_ - rules_.kept - held_.large();
    const int open = gives_way ? std::min(free_kv_slots, std::max(0, for_large))
                               : free_kv_slots;
    std::optional<QueuedUnit> unit =
        queue_.PopFront(std::min(open, share), saved);
    if (unit.has_value() || !gives_way) return unit;
    break;
  }
  std::optional<QueuedUnit> unit = queue_.PopSmall(
      free_kv_slots,
      [this](const QueuedUnit& small) { return ShareOf(small) > 0; });
  if (unit.has_value() && saved != nullptr) saved(*unit);
  return unit;
}

std::vector<QueuedUnit> Admission::GiveOut(int free_kv_slots, absl::Time now,
                                           const SavedFn& saved) {
  std::vector<QueuedUnit> starting;
  while (std::optional<QueuedUnit> unit = NextUnit(free_kv_slots, saved)) {
    const int count = static_cast<int>(unit->sequences.size());
    free_kv_slots -= count;
    held_.Add(unit->request->spec, count);
    ALIGNSAE_DCHECK(free_kv_slots >= 0);
    starting.push_back(*std::move(unit));
  }
  free_kv_slots_ = free_kv_slots;
  last_given_out_ = now;
  return starting;
}

}  // namespace alignsae
