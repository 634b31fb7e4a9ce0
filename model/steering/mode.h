// The steering modes and their names: the one list that the wire, the bundle's
// file, the metrics and the trainer's flags go by. Formulas are in
// model/intervention/apply.h.
//
// Thread-safety: free functions over constants.

#ifndef ALIGNSAE_MODEL_STEERING_MODE_H_
#define ALIGNSAE_MODEL_STEERING_MODE_H_

#include <array>
#include <string>

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
  kProjectOut,
};

// Every mode, once, in the enum's order.
inline constexpr std::array<InterventionMode, 8> kInterventionModes = {
    InterventionMode::kAdd,     InterventionMode::kAddNormMatched,
    InterventionMode::kSet,     InterventionMode::kMultiply,
    InterventionMode::kAblate,  InterventionMode::kSwap,
    InterventionMode::kReplace, InterventionMode::kProjectOut};

absl::string_view InterventionModeName(InterventionMode mode);  // "SWAP", ...
// "ADD, ADD_NORM_MATCHED, ...": all of them, for messages.
std::string InterventionModeNames();
// Errors: INVALID_ARGUMENT "mode: must be one of ..., got ...".
absl::StatusOr<InterventionMode> ParseInterventionMode(absl::string_view name);

bool IsTwoSlotMode(InterventionMode mode);  // SWAP, REPLACE.
bool HasAlpha(InterventionMode mode);       // All but ABLATE, PROJECT_OUT.
bool HasAlphaUnit(InterventionMode mode);   // SET, SWAP, REPLACE.
// Those that need no slot, only a direction: ADD, ADD_NORM_MATCHED,
// PROJECT_OUT.
bool TakesVector(InterventionMode mode);
std::string VectorModeNames();  // "ADD, ADD_NORM_MATCHED, PROJECT_OUT"

// How alpha is read by SET, SWAP and REPLACE.
enum class AlphaUnit {
  kActiveMean,  // z' = alpha c_j (default).
  kRaw,         // z' = alpha.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_MODE_H_
