// Scheduler: continuous batching. Requests join at any step and leave when they
// are done; each step runs one packed batch of all running sequences.
//
// A step: end what was cancelled, has expired or is not read; give what is free
// of the KV cache to the queue; feed one token of every answer and as many
// prompt tokens as the step's budget allows (long prompts take several steps);
// run the executor; hand out tokens; retire what has ended.
//
// RunOneStep does all of it, so that tests need no thread; the step thread is a
// loop around it. Sequences that are variants of one prompt share its cache
// (fork_plan.h), and a prompt that begins as one that was computed takes that
// from it (prefix_cache.h). What of the cache's memory nobody needs goes back
// to the system when all together would be more than the cache may hold
// (kv_residency.h).
//
// Who calls: Submit, RefuseNew, EndAll, WaitUntilIdle and RequestHandle::Cancel
// from any thread; RunOneStep, WaitForWork, HasWork, TakeCensus and
// CheckInvariants from one thread, the step thread. Sinks and the observer are
// never called with the lock held.
//
// Who owns: the scheduler shares a request's sink until RequestDone, and the
// memory of the request until the last RequestHandle is gone. Executor, clock
// and observer are borrowed.
//
// What blocks: only WaitForWork, WaitUntilIdle and, for the time of a step,
// RunOneStep. The lock is held for O(waiting requests) and, of each that
// starts, O(KV slots), never over a step.
// With s the longest step:
//
//   Submit, Cancel               no wait
//   cancel, deadline, EndAll     KV slots are free and RequestDone is told
//                                before the next step, so within s
//   a prompt of p tokens, alone  ceil(p / max_prompt_tokens_per_step) steps,
//                                more with prompt_step
//   a waiting client             client_line.h bounds the tokens that others
//                                are given first
//
// Time is the injected clock's, everywhere.
//
// Not for several models: one scheduler, one executor. Not a place to tokenize
// or to check: a RequestSpec is taken as its parser made it.
//
// Thread-safety: thread-safe as said above.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(RequestHandle handle,
//                             scheduler.Submit(std::move(spec), sink));
//   ...
//   handle.Cancel();  // The sink still gets RequestDone, CANCELLED.

#ifndef ALIGNSAE_MODEL_SCHEDULER_SCHEDULER_H_
#define ALIGNSAE_MODEL_SCHEDULER_SCHEDULER_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "model/base/clock.h"
#include "model/base/mutex.h"
#include "model/engine/step_executor.h"
#include "model/scheduler/admission.h"
#include "model/scheduler/held_slots.h"
#include "model/scheduler/kv_residency.h"
#include "model/scheduler/kv_slot_pool.h"
#include "model/scheduler/observer.h"
#include "model/scheduler/prefix_cache.h"
#include "model/scheduler/prompt_pace.h"
#include "model/scheduler/request.h"
#include "model/scheduler/sequence.h"
#include "model/scheduler/step_batch.h"
#include "model/scheduler/step_share.h"
#include "model/scheduler/unit_places.h"

namespace alignsae {

struct SchedulerOptions {
  RequestQueue::Options queue;
  // Prompt tokens of one step, over all sequences. Answers come on top with one
  // token each. Bounds how long a long prompt holds up the others. >= 1.
  int max_prompt_tokens_per_step = 512;
  // And what takes about so long, by the steps before (PromptPace), where many
  // share a processor. Without a bound the parts of a prompt do not depend on
  // the time: runs can be repeated bit by bit.
  absl::Duration prompt_step = absl::InfiniteDuration();
  // Who may have how much of the KV cache. With slots kept, what is soon done
  // also goes without the others in most steps (StepShare).
  SlotRules slots = {};
  // Beginnings of prompts that free KV slots keep for prompts that begin alike,
  // in tokens; 0: every prompt is computed.
  int64_t prefix_cache_tokens = 0;
};

// A submitted request, to cancel it. May outlive the request and the scheduler.
class RequestHandle {
 public:
  RequestHandle(std::shared_ptr<ActiveRequest> request, const Clock* clock)
      : request_(std::move(request)), clock_(clock) {}

  // The request ends before the next step. No effect when it has ended.
  void Cancel() const;

 private:
  std::shared_ptr<ActiveRequest> request_;
  const Clock* clock_;
};

// What a scheduler holds between two steps, for tests.
struct SchedulerCensus {
  struct Place {
    const RequestSink* sink;
    int sequence;  // In its request.
    friend bool operator==(const Place&, const Place&) = default;
  };
  std::vector<Place> waiting;  // Client by client, in the order of the line.
  std::vector<Place> running;
  std::vector<int> running_taken;  // Prompt tokens, by the prefix cache.
  std::vector<const RequestSink*> displaced;  // Not told yet.
  KvAmount held;                              // By those that run.
  int64_t tokens_kept = 0;      // By the prefix cache, in free KV slots.
  int64_t tokens_resident = 0;  // That may have memory.
  int64_t waiting_tokens = 0;
  friend bool operator==(const SchedulerCensus&,
                         const SchedulerCensus&) = default;
};

class Scheduler {
 public:
  // All pointers must outlive the scheduler.
  Scheduler(const SchedulerOptions& options, StepExecutor* executor,
            const Clock* clock, SequenceEnv env, SchedulerObserver* observer);

  // Takes the request or says why not; never blocks. When it is taken, `sink`
  // gets RequestDone exactly once, whatever happens; when not, nothing has
  // changed for anybody. Errors: RESOURCE_EXHAUSTED (queue full, or
  // the deadline would pass in it), DEADLINE_EXCEEDED (it has passed),
  // UNAVAILABLE (draining), FAILED_PRECONDITION (more sequences or tokens
  // together than the KV cache holds).
  absl::StatusOr<RequestHandle> Submit(RequestSpec spec,
                                       std::shared_ptr<RequestSink> sink)
      ABSL_LOCKS_EXCLUDED(mutex_);

  StepReport RunOneStep() ABSL_LOCKS_EXCLUDED(mutex_);

  // Until there is something to do, for as long as that takes. False once
  // EndAll was called and everything has ended.
  bool WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether something runs, waits, or has still to be told that it ended.
  bool HasWork() const ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on Submit says UNAVAILABLE.
  void RefuseNew() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether everything that was taken has ended and was told so, waiting at
  // most `timeout`.
  bool WaitUntilIdle(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  // RefuseNew, and the next step ends what is left with UNAVAILABLE.
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);

  // For tests, between two steps.
  SchedulerCensus TakeCensus() const ABSL_LOCKS_EXCLUDED(mutex_);
  // INTERNAL when the books do not agree.
  absl::Status CheckInvariants() const ABSL_LOCKS_EXCLUDED(mutex_);
  const PrefixCache& prefix_cache() const { return cache_; }

 private:
  // End what may not go on: was cancelled, has expired, is not read, is
  // displaced, or everything has to end.
  void SweepRunning(absl::Time now, StepReport& report)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SweepQueue(absl::Time now, StepReport& report)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void StartWaiting(absl::Time now, StepReport& report)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes the copies that are owed, in their order.
  void FillBeginnings(std::vector<UnitPlaces>& places);
  // What the KV slots that were given out may take, and what others give back.
  void BoundMemory(const std::vector<UnitPlaces>& places);
  void Start(const QueuedUnit& queued, UnitPlaces places, absl::Time now,
             StepReport& report);
  void TakeResults(const StepBatch& batch, std::vector<RowResult> results,
                   absl::Time now, StepReport& report);
  // What row `r` gave.
  void TakeResult(const StepBatch& batch, size_t r, RowResult result,
                  absl::Time now, StepReport& report);
  // Hands out tokens and traces. Not OK: the request must end.
  absl::Status Deliver(ActiveRequest& request, RunningMember& member,
                       Sequence::Progress& progress, absl::Time now,
                       StepReport& report);
  // Tells the prefix cache what the unit's first KV slot holds, when it is the
  // member's.
  void TellCached(const RunningUnit& unit, const RunningMember& member);
  void FinishMember(RunningUnit& unit, size_t index, FinishReason reason,
                    absl::Time now, StepReport& report)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends a request with all that runs of it, unless it has ended.
  void EndRequest(const std::shared_ptr<ActiveRequest>& request,
                  const absl::Status& status, absl::Time now,
                  StepReport& report);
  // Tells that a sequence has ended and frees its KV slot.
  void Retire(RunningUnit& unit, size_t index, FinishReason reason,
              StepReport& report);
  // Tells the observer what waits.
  void TellQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Publish(const StepReport& report) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckRunning(const SchedulerCensus& census) const;

  const SchedulerOptions options_;
  StepExecutor* const executor_;
  const Clock* const clock_;
  const SequenceEnv env_;
  SchedulerObserver* const observer_;

  // The step thread's.
  KvSlotPool pool_;
  PrefixCache cache_;
  KvResidency residency_;
  std::vector<RunningUnit> running_;
  StepShare share_;
  PromptPace pace_{options_.prompt_step};

  mutable Mutex mutex_;
  CondVar changed_;  // admission_, busy_ or end_all_.
  Admission admission_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // Something runs or is ending.
  bool end_all_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_SCHEDULER_H_
