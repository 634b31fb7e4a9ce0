// Scheduler: continuous batching. Requests join at any step and leave when they
// are done; each step runs one packed batch of all running sequences.
//
// A step: drop what was cancelled, has expired or is not read; give free slots
// to the queue; feed one token of every answer and as many prompt tokens as the
// step's budget allows (long prompts take several steps); run the executor;
// hand out tokens; retire what has ended.
//
// RunOneStep does all of it, so that tests need no thread; StepThread is a loop
// around it. Sequences that are variants of one prompt share its cache
// (fork_plan.h).
//
// Thread-safety: Submit, RefuseNew, EndAll, WaitUntilIdle
// and RequestHandle::Cancel from any thread; RunOneStep and WaitForWork from
// one thread, the step thread. Sinks and the observer are never called with the
// lock held.
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
#include "model/scheduler/fork_plan.h"
#include "model/scheduler/observer.h"
#include "model/scheduler/request.h"
#include "model/scheduler/request_queue.h"
#include "model/scheduler/sequence.h"
#include "model/scheduler/slot_pool.h"

namespace alignsae {

struct SchedulerOptions {
  RequestQueue::Options queue;
  // Prompt tokens of one step, over all sequences. Answers come on top with one
  // token each. Bounds how long a long prompt holds up the others. >= 1.
  int max_prompt_tokens_per_step = 512;
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

class Scheduler {
 public:
  // All pointers must outlive the scheduler.
  Scheduler(const SchedulerOptions& options, StepExecutor* executor,
            const Clock* clock, SequenceEnv env, SchedulerObserver* observer);

  // Takes the request or says why not; never blocks. When it is taken, `sink`
  // gets RequestDone exactly once. Errors: RESOURCE_EXHAUSTED (queue full, or
  // the deadline would pass in it), DEADLINE_EXCEEDED (it has passed),
  // UNAVAILABLE (draining), FAILED_PRECONDITION (more sequences together than
  // there are slots).
  absl::StatusOr<RequestHandle> Submit(RequestSpec spec,
                                       std::shared_ptr<RequestSink> sink)
      ABSL_LOCKS_EXCLUDED(mutex_);

  StepReport RunOneStep() ABSL_LOCKS_EXCLUDED(mutex_);

  // Until there is something to do. False once EndAll was called and everything
  // has ended.
  bool WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on Submit says UNAVAILABLE.
  void RefuseNew() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether everything that was taken has ended, waiting at most `timeout`.
  bool WaitUntilIdle(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);
  // RefuseNew, and the next step ends what is left with UNAVAILABLE.
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // One running sequence and its slot, which a fork's other members may read.
  struct Member {
    Sequence sequence;
    std::shared_ptr<KvSlot> slot;
    absl::Time first_token = absl::InfinitePast();
    absl::Time last_token = absl::InfinitePast();
  };
  // Sequences of one request that share their steps.
  struct Unit {
    std::shared_ptr<ActiveRequest> request;
    absl::Time started;
    std::vector<std::optional<Member>> members;  // Empty: has ended.
    // Several members: where they part, and the slot that holds what they
    // share (one member's own), leased until the last of them has ended.
    ForkPlan plan;
    std::shared_ptr<KvSlot> prefix;

    int live() const;
    size_t first_live() const;
    int prompt_length() const;
    // Prompt tokens that are not in the cache yet; the same for all members.
    int prompt_left() const;
  };
  // The rows of a step and whose they are.
  struct Batch {
    std::vector<StepRow> rows;
    std::vector<std::pair<Unit*, size_t>> owners;  // Unit, index of its member.
  };

  // Whether the request may be taken; others may have to give way to it.
  absl::Status CheckAdmission(const RequestSpec& spec, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why the request may not go on, waiting or running; OK while it may.
  static absl::Status WhyEnd(const ActiveRequest& request, absl::Time now,
                             bool ending_all);

  // A waiting request whose deadline no longer leaves time to run: running it
  // would take the time of those that can still be answered.
  bool IsHopeless(const ActiveRequest& request, absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // End what may not go on: was cancelled, has expired, is not read, is
  // displaced, or everything has to end.
  void SweepRunning(absl::Time now, StepReport& report)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SweepQueue(absl::Time now, StepReport& report)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Admit(absl::Time now, StepReport& report) ABSL_LOCKS_EXCLUDED(mutex_);
  void Start(const QueuedUnit& queued, absl::Time now, StepReport& report);
  Batch BuildBatch(StepReport& report);
  // Adds a row of at most `chunk` prompt tokens for each member.
  static void AddRows(Unit& unit, int chunk, Batch& batch);
  void TakeResults(const Batch& batch, std::vector<RowResult> results,
                   absl::Time now, StepReport& report);
  // Hands out what a row gave. Not OK: the request must end.
  absl::Status TakeProgress(ActiveRequest& request, Member& member,
                            Sequence::Progress& progress, absl::Time now,
                            StepReport& report);
  void FinishMember(Unit& unit, size_t index, FinishReason reason,
                    absl::Time now, StepReport& report)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends a request with all that runs of it, unless it has ended.
  void EndRequest(const std::shared_ptr<ActiveRequest>& request,
                  const absl::Status& status, absl::Time now,
                  StepReport& report);
  // Tells that a sequence has ended and frees its slot.
  void Retire(Unit& unit, size_t index, FinishReason reason,
              StepReport& report);
  void Publish(const StepReport& report) ABSL_LOCKS_EXCLUDED(mutex_);

  const SchedulerOptions options_;
  StepExecutor* const executor_;
  const Clock* const clock_;
  const SequenceEnv env_;
  SchedulerObserver* const observer_;

  // The step thread's.
  SlotPool pool_;
  std::vector<Unit> running_;

  mutable Mutex mutex_;
  CondVar changed_;  // queue_, busy_ or end_all_.
  RequestQueue queue_ ABSL_GUARDED_BY(mutex_);
  // Requests that gave their place in the queue to another client's.
  std::vector<std::shared_ptr<ActiveRequest>> displaced_
      ABSL_GUARDED_BY(mutex_);
  int free_slots_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_admission_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // Something runs.
  bool refuse_new_ ABSL_GUARDED_BY(mutex_) = false;
  bool end_all_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_SCHEDULER_H_
