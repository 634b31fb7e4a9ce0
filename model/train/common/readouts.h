// Concept slots of many prompts, by the scheduler that serves.
//
// Thread-safety: not thread-safe; the caller owns the executor.
// Errors: those of a step; NOT_FOUND for a checkpoint that is not there.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_READOUTS_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_READOUTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/engine/step_executor.h"
#include "model/steering/catalog.h"

namespace alignsae {

// Where a concept is read: at one position, or at several, whose mean it is
// (scheduler/mean_reading.h).
struct ReadPlace {
  absl::Span<const int32_t> tokens;  // Not empty; must outlive the call.
  std::vector<int> positions;  // Rising, in [0, tokens.size()), not empty.
};

// One reading for each place, in their order.
absl::StatusOr<std::vector<ConceptReading>> ReadEach(
    StepExecutor& executor, std::shared_ptr<const Catalog> catalog,
    int checkpoint, absl::Span<const ReadPlace> places);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_READOUTS_H_
