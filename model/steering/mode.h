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
};

// Every mode, once, in the enum's order.
inline constexpr std::array<InterventionMode, 7> kInterventionModes = {
    InterventionMode::kAdd,    InterventionMode::kAddNormMatched,
    InterventionMode::kSet,    InterventionMode::kMultiply,
    InterventionMode::kAblate, InterventionMode::kSwap,
    InterventionMode::kReplace};

absl::string_view InterventionModeName(InterventionMode mode);  // "SWAP", ...
// "ADD, ADD_NORM_MATCHED, ...": all of them, for messages.
std::string InterventionModeNames();
// Errors: INVALID_ARGUMENT "mode: must be one of ..., got ...".
absl::StatusOr<InterventionMode> ParseInterventionMode(absl::string_view name);

bool IsTwoSlotMode(InterventionMode mode);  // SWAP, REPLACE.
bool HasAlpha(InterventionMode mode);       // All but ABLATE.
bool HasAlphaUnit(InterventionMode mode);   // SET, SWAP, REPLACE.

// How alpha is read by SET, SWAP and REPLACE.
enum class AlphaUnit {
  kActiveMean,  // z' = alpha c_j (default).
  kRaw,         // z' = alpha.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_MODE_H_
