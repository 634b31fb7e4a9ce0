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

#include <optional>

#include "model/steering/mode.h"
#include "model/steering/positions.h"

namespace alignsae {

struct Intervention {
  int checkpoint = 0;  // Index into Catalog::checkpoints.
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

  bool AppliesAt(int position, int prompt_length) const;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_INTERVENTION_H_
