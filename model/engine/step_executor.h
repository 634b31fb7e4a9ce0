// StepExecutor: runs one step. The seam between the scheduler (torch-free) and
// the engine; tests put a fake behind it.
//
// Threads: Step blocks for as long as the model takes and is called from one
// thread, which makes and destroys the executor too: the OpenMP pool is that
// thread's. The const methods are for other threads and open no OpenMP region.
//
// Thread-safety: Step is not thread-safe; the const methods are.

#ifndef ALIGNSAE_MODEL_ENGINE_STEP_EXECUTOR_H_
#define ALIGNSAE_MODEL_ENGINE_STEP_EXECUTOR_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/engine/step.h"

namespace alignsae {

// What a direction does to the logits by itself, through the head.
struct TokenEffect {
  int32_t token = 0;
  float logit = 0;
};
struct DirectEffect {
  std::vector<TokenEffect> top;     // The largest logits, largest first.
  std::vector<TokenEffect> bottom;  // The smallest, smallest first.
};
// What the unit of a slot's value writes, s d_j (slot_explainer.h).
struct SlotExplanation {
  double direction_norm = 0;  // norm(s d_j)
  std::optional<DirectEffect>
      without_ln_f;  // nullopt: the family says nothing.
  DirectEffect with_ln_f;
};

// Asked now and then by work that takes long: not OK ends it with that status.
using WhyStop = std::function<absl::Status()>;

class StepExecutor {
 public:
  virtual ~StepExecutor() = default;

  // Runs all rows together; results in row order. Rows name distinct kv_slots.
  virtual std::vector<RowResult> Step(absl::Span<const StepRow> rows) = 0;

  // Between two steps, on their thread. INTERNAL for what is not in the cache;
  // then nothing of `to` is to be relied on.
  virtual absl::Status CopyKv(const KvCopy& copy) = 0;

  // Between two steps, on their thread. Of KV slot `kv_slot` only `keep` is
  // needed from here on: the memory of other positions may go back to the
  // system, and what they hold is not to be relied on.
  virtual void TrimKv(int kv_slot, const KvRange& keep) = 0;

  // Whether the loaded checkpoint can run `intervention` (see CheckApplicable).
  // Thread-safe: reads immutable data only and computes nothing, called from
  // RPC threads.
  virtual absl::Status CheckIntervention(
      const Intervention& intervention) const = 0;

  // Encodes every feature of readings that kept their residual, all of one
  // checkpoint: the `top_k` largest, L0 and the reconstruction error. Reads the
  // whole SAE for every few positions and takes seconds for a long prompt, so
  // it is not a part of any step: call it from a background thread, which alone
  // computes. Asks `why_stop` before each few positions. Thread-safe.
  virtual absl::Status ReadFeatures(absl::Span<ConceptReading> readings,
                                    int top_k,
                                    const WhyStop& why_stop) const = 0;

  // The `top_k` >= 1 tokens at each end, or all. `slot` is a concept's, or any
  // where the whole SAE is loaded. Reads the whole head: tens of milliseconds
  // for GPT-2, on the calling thread alone. Thread-safe.
  virtual absl::StatusOr<SlotExplanation> ExplainSlot(int checkpoint, int slot,
                                                      int top_k) const = 0;

  // What the KV cache holds at once: sequences, and tokens of all of them, at
  // least one context.
  virtual int kv_slots() const = 0;
  virtual int64_t kv_tokens() const = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_STEP_EXECUTOR_H_
