#include "server/api/wire_mode.h"

namespace alignsae {

// No default: the compiler tells of a mode that the wire does not have.
v1::InterventionMode ToWire(InterventionMode mode) {
  switch (mode) {
    case InterventionMode::kAdd:
      return v1::INTERVENTION_MODE_ADD;
    case InterventionMode::kAddNormMatched:
      return v1::INTERVENTION_MODE_ADD_NORM_MATCHED;
    case InterventionMode::kSet:
      return v1::INTERVENTION_MODE_SET;
    case InterventionMode::kMultiply:
      return v1::INTERVENTION_MODE_MULTIPLY;
    case InterventionMode::kAblate:
      return v1::INTERVENTION_MODE_ABLATE;
    case InterventionMode::kSwap:
      return v1::INTERVENTION_MODE_SWAP;
    case InterventionMode::kReplace:
      return v1::INTERVENTION_MODE_REPLACE;
  }
  return v1::INTERVENTION_MODE_UNSPECIFIED;
}

std::optional<InterventionMode> FromWire(v1::InterventionMode mode) {
  for (InterventionMode known : kInterventionModes) {
    if (ToWire(known) == mode) return known;
  }
  return std::nullopt;
}

}  // namespace alignsae
