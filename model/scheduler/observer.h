// SchedulerObserver: what the scheduler tells about itself, for metrics. Every
// method has an empty default.
//
// Who calls: OnQueue and OnRejected come from the threads that submit and from
// the step thread, the others from the step thread only. OnQueue is called with
// the scheduler's lock held, so that the last that it tells is how the queue
// is: it must not call the scheduler. The others are called without it. What
// takes long here makes every step longer: no method may block.
//
// Who owns: the scheduler borrows its observer.
//
// Not for the events of a request: those go to its sink.
//
// Thread-safety: OnQueue and OnRejected must be thread-safe.

#ifndef ALIGNSAE_MODEL_SCHEDULER_OBSERVER_H_
#define ALIGNSAE_MODEL_SCHEDULER_OBSERVER_H_

#include <cstdint>

#include "absl/time/time.h"
#include "model/scheduler/request.h"

namespace alignsae {

// What the prefix cache (prefix_cache.h) did in a step.
struct PrefixReport {
  int hits = 0;    // Prompts whose beginning was taken.
  int misses = 0;  // That could have taken one, and there was none.
  // That could take none: too few tokens before the first that is edited, read
  // or scored.
  int barred = 0;
  int64_t tokens_taken = 0;  // By the hits; what a fork shares counts once.
  int evictions = 0;
  int64_t tokens_kept = 0;  // In free KV slots, behind the step.
};

// One step, as it went.
struct StepReport {
  int rows = 0;           // 0: nothing to do; the executor was not called.
  int prompt_tokens = 0;  // Computed; what a fork shares counts once.
  int prefix_tokens_saved = 0;  // Not computed again, because a fork shares it.
  int forks = 0;                // Variants that began on another one's prompt.
  int generated_tokens = 0;
  int admitted = 0;  // Sequences that left the queue for a KV slot.
  int finished = 0;  // Sequences that ended, for whatever reason.
  int kv_slots_in_use = 0;
  int64_t kv_tokens_in_use = 0;  // Given to what runs; see KvSlotPool.
  PrefixReport prefix;
  absl::Duration duration;
};

// Why a request was refused or dropped before it ran.
enum class RejectReason { kQueueFull, kTokenBudget, kDeadline, kDraining };

class SchedulerObserver {
 public:
  virtual ~SchedulerObserver() = default;

  virtual void OnQueue(int sequences, int64_t tokens) {}
  virtual void OnRejected(RejectReason reason) {}
  virtual void OnQueueWait(absl::Duration waited) {}
  virtual void OnStep(const StepReport& report) {}
  virtual void OnFirstToken(absl::Duration since_submit) {}
  // Mean over the tokens of a sequence after its first.
  virtual void OnTokenTime(absl::Duration per_token) {}
  // From the client's cancellation to the KV slot being free.
  virtual void OnCancelledFree(absl::Duration took) {}
  // Concept slots at the last token of a prompt, for every checkpoint whose
  // hook the prompt passed. Once for all variants of a fork.
  virtual void OnPromptReading(const ConceptReading& reading) {}
  // Concept slots at a generated token, of sequences that ask for a trace.
  virtual void OnGeneratedReading(const ConceptReading& reading) {}
  // A sequence with interventions has ended; receipts in their order.
  virtual void OnSteered(const std::vector<Intervention>& interventions,
                         const std::vector<InterventionReceipt>& receipts) {}
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_OBSERVER_H_
