// Admission: which requests are taken, which of those that wait are dropped,
// and which start next.
//
// A request is refused when the server drains, when its sequences can never run
// together, when its deadline has passed or would pass before it has waited and
// run, and when the queue is full. A refusal changes nothing: the request that
// displaces others is one that is taken.
//
// Nothing blocks; costs are the queue's (request_queue.h).
//
// Thread-safety: not thread-safe; the scheduler guards it. Time is an argument.
// Errors: those of Scheduler::Submit.

#ifndef ALIGNSAE_MODEL_SCHEDULER_ADMISSION_H_
#define ALIGNSAE_MODEL_SCHEDULER_ADMISSION_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/scheduler/held_slots.h"
#include "model/scheduler/request_queue.h"

namespace alignsae {

class Admission {
 public:
  Admission(const RequestQueue::Options& options, int kv_slots,
            const SlotRules& rules = {})
      : kv_slots_(kv_slots),
        rules_(rules),
        free_kv_slots_(kv_slots),
        queue_(options) {}

  // Takes the request, which then waits, or says why not.
  absl::StatusOr<std::shared_ptr<ActiveRequest>> Take(
      RequestSpec spec, std::shared_ptr<RequestSink> sink, absl::Time now);
  // From now on Take says UNAVAILABLE.
  void RefuseNew() { refuse_new_ = true; }

  // A request that waited, and why it must end. The caller owes it its
  // RequestDone.
  struct Dropped {
    std::shared_ptr<ActiveRequest> request;
    absl::Status why;
  };
  // Takes out of the queue what may not go on waiting: what has expired, was
  // cancelled, has no time left to run or gave its place to another client, and
  // silently what belongs to a request that has ended. Each request once.
  std::vector<Dropped> Sweep(absl::Time now, bool ending_all);
  // What starts now; together at most `free_kv_slots` sequences, in the order
  // in which `saved` was asked of them. Turns count what is not saved.
  std::vector<QueuedUnit> GiveOut(int free_kv_slots, absl::Time now,
                                  const SavedFn& saved = nullptr);

  // Who holds KV slots, before GiveOut.
  void SetHeld(HeldSlots held) { held_ = std::move(held); }

  // For the prediction of waits: what is free after a step, and how long a
  // sequence that ended had run.
  void SetFreeKvSlots(int free) { free_kv_slots_ = free; }
  void RecordService(const RequestSpec& spec, absl::Duration service,
                     int tokens) {
    queue_.RecordService(spec, service, tokens);
  }

  // Whether nobody waits for anything, RequestDone included.
  bool empty() const { return queue_.empty() && displaced_.empty(); }
  const RequestQueue& queue() const { return queue_; }
  // Gave way since the last Sweep, which tells them.
  const std::vector<std::shared_ptr<ActiveRequest>>& displaced() const {
    return displaced_;
  }
  int free_kv_slots() const { return free_kv_slots_; }

 private:
  absl::Status Check(const RequestSpec& spec, absl::Time now);
  // A waiting request whose deadline no longer leaves time to run: running it
  // would take the time of those that can still be answered.
  bool IsHopeless(const ActiveRequest& request, absl::Time now) const;

  // Whether it finds a KV slot that is kept for such as it.
  bool StartsAtOnce(const RequestSpec& spec) const;
  // The next unit that may start. Passes the turns of those on that hold their
  // share already.
  std::optional<QueuedUnit> NextUnit(int free_kv_slots, const SavedFn& saved);
  // What HeldSlots::ShareOf says to `unit` now.
  int ShareOf(const QueuedUnit& unit) const;
  // Whether kept slots are not for `front`, and small requests pass it.
  bool GivesWay(const QueuedUnit& front) const;

  const int kv_slots_;
  const SlotRules rules_;
  HeldSlots held_;
  int free_kv_slots_;
  RequestQueue queue_;
  std::vector<std::shared_ptr<ActiveRequest>> displaced_;
  absl::Time last_given_out_ = absl::InfinitePast();
  bool refuse_new_ = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_ADMISSION_H_
