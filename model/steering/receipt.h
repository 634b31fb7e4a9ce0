// The receipt of an intervention: what it did to the residual stream, and
// where. Steering is never skipped in silence: an intervention that met no
// position has a receipt that says 0.
//
// Thread-safety: value types.

#ifndef ALIGNSAE_MODEL_STEERING_RECEIPT_H_
#define ALIGNSAE_MODEL_STEERING_RECEIPT_H_

#include <cstdint>
#include <vector>

namespace alignsae {

// What one intervention did at one position.
struct PositionEffect {
  int position = 0;
  double residual_norm = 0;  // norm(h) before.
  double change_norm = 0;    // norm(h' - h).
  int source_slot = -1;      // Cleared slot, -1 for one-slot modes.
  // z by re-encoding h and h'. With a vector v, its component of h and h',
  // h . v / norm(v), for a target.
  double source_before = 0, source_after = 0;
  double target_before = 0, target_after = 0;
  // [R] z of all concepts, where the intervention measures; else empty.
  std::vector<float> slots_before = {}, slots_after = {};
};

inline constexpr int kMaxReceiptPositions = 32;

// Receipt of one intervention of one request, summed over its steps.
struct InterventionReceipt {
  int64_t positions_applied = 0;
  // The first kMaxReceiptPositions; of one step and an intervention that
  // measures, all.
  std::vector<PositionEffect> effects;
  // Of an intervention with a condition: at how many positions it was looked
  // at; those at which it held were edited.
  int64_t positions_checked = 0;

  void Merge(const InterventionReceipt& later);
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_RECEIPT_H_
