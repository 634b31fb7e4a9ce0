#include "server/api/wire_mode.h"

namespace alignsae {

// No default: the compiler tells of what the wire does not have.
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
    case InterventionMode::kProjectOut:
      return v1::INTERVENTION_MODE_PROJECT_OUT;
  }
  return v1::INTERVENTION_MODE_UNSPECIFIED;
}

v1::HookKind ToWire(HookKind kind) {
  switch (kind) {
    case HookKind::kResidPre:
      return v1::HOOK_KIND_RESID_PRE;
    case HookKind::kAttnOut:
      return v1::HOOK_KIND_ATTN_OUT;
    case HookKind::kResidMid:
      return v1::HOOK_KIND_RESID_MID;
    case HookKind::kMlpOut:
      return v1::HOOK_KIND_MLP_OUT;
    case HookKind::kResidPost:
      return v1::HOOK_KIND_RESID_POST;
  }
  return v1::HOOK_KIND_UNSPECIFIED;
}

std::optional<InterventionMode> FromWire(v1::InterventionMode mode) {
  for (InterventionMode known : kInterventionModes) {
    if (ToWire(known) == mode) return known;
  }
  return std::nullopt;
}

std::optional<HookKind> FromWire(v1::HookKind kind) {
  for (HookKind known : kHookKinds) {
    if (ToWire(known) == kind) return known;
  }
  return std::nullopt;
}

}  // namespace alignsae
