// Interventions as plain data: what to change, where, and the receipt of what
// was changed. Free of LibTorch; formulas are in apply.h.
//
// An Intervention is *resolved*: positions are absolute, concepts are slots,
// and every rule of the contracts was checked when it was made. Code behind the
// parser may assume them.
//
// Thread-safety: value types.

#ifndef ALIGNSAE_MODEL_STEERING_INTERVENTION_H_
#define ALIGNSAE_MODEL_STEERING_INTERVENTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

enum class InterventionMode {
  kAdd,
  kAddNormMatched,
  kSet,
  kMultiply,
  kAblate,
  kSwap,
  kReplace,
};
absl::string_view InterventionModeName(InterventionMode mode);  // "SWAP", ...
absl::StatusOr<InterventionMode> ParseInterventionMode(absl::string_view name);
bool IsTwoSlotMode(InterventionMode mode);  // SWAP, REPLACE.
bool HasAlphaUnit(InterventionMode mode);   // SET, SWAP, REPLACE.

// How alpha is read by SET, SWAP and REPLACE.
enum class AlphaUnit {
  kActiveMean,  // z' = alpha c_j (default).
  kRaw,         // z' = alpha.
};

// Which positions, as asked. ResolvePositions turns it into absolute positions.
struct PositionSelection {
  enum class Prompt { kNone, kLast, kAll, kList, kWindow };
  Prompt prompt = Prompt::kLast;
  // kList: negative ones count from the end (-1 is the last).
  std::vector<int64_t> list;
  int64_t start = 0;  // kWindow: [start, stop); negative from the end.
  int64_t stop = 0;
  bool generated = false;  // Also every generated token.
};

struct ResolvedPositions {
  // Absolute, sorted, distinct, in [0, prompt_length).
  std::vector<int> prompt;
  bool generated = false;
};

// Errors: INVALID_ARGUMENT "<what>: must ..., got ...": an empty selection, a
// position outside the prompt, an empty or reversed window.
absl::StatusOr<ResolvedPositions> ResolvePositions(
    const PositionSelection& selection, int prompt_length);

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

// What one intervention did at one position.
struct PositionEffect {
  int position = 0;
  double residual_norm = 0;  // norm(h) before.
  double change_norm = 0;    // norm(h' - h).
  int source_slot = -1;      // Cleared slot, -1 for one-slot modes.
  // z by re-encoding h and h'.
  double source_before = 0, source_after = 0;
  double target_before = 0, target_after = 0;
};

inline constexpr int kMaxReceiptPositions = 32;

// Receipt of one intervention of one request, summed over its steps.
struct InterventionReceipt {
  int64_t positions_applied = 0;
  std::vector<PositionEffect> effects;  // The first kMaxReceiptPositions.

  void Merge(const InterventionReceipt& later);
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_INTERVENTION_H_
