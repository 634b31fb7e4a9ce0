#include "model/steering/hook_point.h"

#include "absl/strings/str_cat.h"

namespace alignsae {

absl::string_view HookKindName(HookKind kind) {
  switch (kind) {
    case HookKind::kResidPre:
      return "resid_pre";
    case HookKind::kAttnOut:
      return "attn_out";
    case HookKind::kResidMid:
      return "resid_mid";
    case HookKind::kMlpOut:
      return "mlp_out";
    case HookKind::kResidPost:
      return "resid_post";
  }
  return "";
}

std::optional<HookKind> ParseHookKind(absl::string_view name) {
  for (HookKind kind : kHookKinds) {
    if (HookKindName(kind) == name) return kind;
  }
  return std::nullopt;
}

std::string HookKindNames() {
  std::string names;
  for (HookKind kind : kHookKinds) {
    const absl::string_view before = names.empty()               ? ""
                                     : kind == kHookKinds.back() ? " or "
                                                                 : ", ";
    absl::StrAppend(&names, before, HookKindName(kind));
  }
  return names;
}

std::string HookPoint::ToString() const {
  return absl::StrCat(HookKindName(kind), "[", layer, "]");
}

std::optional<FieldError> HookPointError(const HookPoint& hook, int n_layer,
                                         bool parallel_residual) {
  if (hook.layer < 0 || hook.layer >= n_layer) {
    return FieldError{
        "layer", absl::StrCat("be in [0, ", n_layer - 1, "]"),
        absl::StrCat(hook.layer, "; the model has ", n_layer, " blocks")};
  }
  if (hook.kind == HookKind::kResidMid && parallel_residual) {
    return FieldError{"kind", "be another than resid_mid",
                      "it; the model's attention and MLP read the same input"};
  }
  return std::nullopt;
}

}  // namespace alignsae
