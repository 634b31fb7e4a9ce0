// Admission: which requests are taken, which of those that wait are dropped,
// and which start next.
//
// A request is refused when the server drains, when its sequences can never run
// together (they are more than there are KV slots, or hold more tokens than the
// cache may), when its deadline has passed or would pass before it has waited
// and run, and when the queue is full. A refusal changes nothing: the request
// that displaces others is one that is taken.
//
// A unit starts when there are KV slots for its sequences and tokens for all
// that they may become: what has begun never waits for memory. The unit whose
// turn it is holds up the others until it fits, so that none starves, a long
// one neither. Small requests pass one that is not small; while that one waits
// for nothing but what small ones hold, they do so only in what is kept for
// them, so that it starts when those before have ended.
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
  Admission(const RequestQueue::Options& options, const KvAmount& kv,
            const SlotRules& rules = {})
      : kv_(kv), rules_(KvRulesFor(rules, kv)), free_(kv), queue_(options) {}

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
  // What starts now; together at most what is `free`, in the order in which
  // `saved` was asked of them. Turns count what is not saved.
  std::vector<QueuedUnit> GiveOut(KvAmount free, absl::Time now,
                                  const SavedFn& saved = nullptr);

  // Who holds how much of the KV cache, before GiveOut.
  void SetHeld(HeldSlots held) { held_ = std::move(held); }

  // For the prediction of waits: what is free after a step, and how long a
  // sequence that ended had run.
  void SetFree(const KvAmount& free) { free_ = free; }
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
  const KvAmount& free() const { return free_; }

 private:
  absl::Status Check(const RequestSpec& spec, absl::Time now);
  // A waiting request whose deadline no longer leaves time to run: running it
  // would take the time of those that can still be answered.
  bool IsHopeless(const ActiveRequest& request, absl::Time now) const;

  // Whether it finds room that is kept for such as it.
  bool StartsAtOnce(const RequestSpec& spec) const;
  // The next unit that may start. Passes the turns of those on that hold their
  // share already.
  std::optional<QueuedUnit> NextUnit(const KvAmount& free,
                                     const SavedFn& saved);
  // What HeldSlots::ShareOf says to `unit` now.
  KvAmount ShareOf(const QueuedUnit& unit) const;
  // What of `free` is open to `front`, whose turn it is.
  KvAmount OpenTo(const QueuedUnit& front, const KvAmount& free) const;
  // Whether what is kept is not for `front`, and small requests pass it.
  bool GivesWay(const QueuedUnit& front) const;
  // What of `free` small requests may take that pass `front`.
  KvAmount RoomToPass(const QueuedUnit& front, const KvAmount& free) const;
  // What not small requests may have beside those that run.
  KvAmount LeftToLarge() const;

  const KvAmount kv_;
  const KvRules rules_;
  HeldSlots held_;
  KvAmount free_;
  RequestQueue queue_;
  std::vector<std::shared_ptr<ActiveRequest>> displaced_;
  absl::Time last_given_out_ = absl::InfinitePast();
  bool refuse_new_ = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_ADMISSION_H_
