// StepExecutor: runs one step. The seam between the scheduler (torch-free) and
// the engine; tests put a fake behind it.
//
// Thread-safety: not thread-safe; one thread calls Step.

#ifndef ALIGNSAE_MODEL_ENGINE_STEP_EXECUTOR_H_
#define ALIGNSAE_MODEL_ENGINE_STEP_EXECUTOR_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/engine/step.h"

namespace alignsae {

class StepExecutor {
 public:
  virtual ~StepExecutor() = default;

  // Runs all rows together; results in row order. Rows name distinct kv_slots.
  virtual std::vector<RowResult> Step(absl::Span<const StepRow> rows) = 0;

  // Whether the loaded checkpoint can run `intervention` (see CheckApplicable).
  // Thread-safe: reads immutable data only, called from RPC threads.
  virtual absl::Status CheckIntervention(
      const Intervention& intervention) const = 0;

  // Encodes every feature of readings that kept their residual, all of one
  // checkpoint: the `top_k` largest, L0 and the reconstruction error. Reads the
  // whole SAE, so it is not a part of any step: call it from another thread,
  // which alone computes. Thread-safe.
  virtual absl::Status ReadFeatures(absl::Span<ConceptReading> readings,
                                    int top_k) const = 0;

  virtual int kv_slots() const = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_STEP_EXECUTOR_H_
