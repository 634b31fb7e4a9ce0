#include "model/train/common/run_requests.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "model/base/clock.h"
#include "model/base/status_macros.h"
#include "model/scheduler/scheduler.h"

namespace alignsae {
namespace {

// Prompts of a step: nobody waits for a first token here, so only memory
// bounds it.
constexpr int kPromptTokens = 4096;

SchedulerOptions Unbounded() {
  return {.queue = {.max_sequences = std::numeric_limits<int>::max(),
                    .max_tokens = std::numeric_limits<int64_t>::max()},
          .max_prompt_tokens_per_step = kPromptTokens};
}

// How much waits, as the scheduler tells it.
struct QueueWatch : SchedulerObserver {
  int waiting = 0;  // Sequences.
  void OnQueue(int sequences, int64_t) override { waiting = sequences; }
};

}  // namespace

absl::Status RunRequests(StepExecutor& executor,
                         std::shared_ptr<const Catalog> catalog,
                         const RequestCalls& calls) {
  const RealClock clock;
  QueueWatch watch;
  const SequenceEnv env = {
      .catalog = std::move(catalog),
      .token_bytes = [](int32_t) { return absl::string_view(); }};
  Scheduler scheduler(Unbounded(), &executor, &clock, env, &watch);
  const int enough = executor.kv_slots();
  while (true) {
    while (watch.waiting < enough) {
      std::optional<RequestToRun> request = calls.next();
      if (!request.has_value()) break;
      ALIGNSAE_RETURN_IF_ERROR(
          scheduler.Submit(std::move(request->spec), std::move(request->sink))
              .status());
    }
    if (!scheduler.HasWork()) return absl::OkStatus();
    scheduler.RunOneStep();
    if (!calls.after_step) continue;
    ALIGNSAE_RETURN_IF_ERROR(calls.after_step());
  }
}

}  // namespace alignsae
