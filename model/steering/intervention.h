// An intervention as plain data: what to change in the residual stream, and
// where. Free of LibTorch; formulas are in model/intervention/apply.h.
//
// An Intervention is *resolved*: positions are absolute, concepts are slots,
// and every rule of the contracts was checked when it was made. Code behind the
// parser may assume them.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_STEERING_INTERVENTION_H_
#define ALIGNSAE_MODEL_STEERING_INTERVENTION_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "model/steering/condition.h"
#include "model/steering/hook_point.h"
#include "model/steering/mode.h"
#include "model/steering/positions.h"

namespace alignsae {

struct ModelInfo;

// A direction of the caller's own, at a hook point of its own.
struct SteeringVector {
  HookPoint hook;
  std::vector<float> values;  // [D], in units of the residual stream.
};

struct Intervention {
  // Index into Catalog::checkpoints. Without meaning beside a vector, as are
  // the slots.
  int checkpoint = 0;
  InterventionMode mode = InterventionMode::kSwap;
  // Feature index that is written (j). For one-slot modes the only one.
  int target_slot = 0;
  // SWAP and REPLACE: feature index that is cleared (i); nullopt: the
  // position's top concept. If that is the target itself, the position's
  // runner-up concept is NOT taken: the slot is set to alpha c_j and nothing is
  // cleared.
  std::optional<int> source_slot;
  double alpha = 1;  // Finite.
  AlphaUnit unit = AlphaUnit::kActiveMean;
  ResolvedPositions positions;
  // Given: it takes the place of a slot's direction. Null: a slot does.
  std::shared_ptr<const SteeringVector> vector = nullptr;
  // Given: of the positions those are edited at which it holds of the reading
  // there, before any intervention there. Its checkpoint reads where this
  // edits.
  std::optional<ReadingCondition> when = std::nullopt;
  // A step's receipt tells every position of the step, and all concept slots
  // there (not beside a vector).
  bool measure = false;

  bool AppliesAt(int position, int prompt_length) const;
};

// Whether `model` can run an intervention that has a vector; alpha is finite.
//   NOT_FOUND            a layer that the model does not have
//   FAILED_PRECONDITION  a hook point that its family does not have
//   INVALID_ARGUMENT     a mode that needs a slot; not D numbers; one that is
//                        not finite; only zeros
absl::Status CheckVector(const Intervention& intervention,
                         const ModelInfo& model);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_INTERVENTION_H_
