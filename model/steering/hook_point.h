// Where in GPT-2 the residual stream is read and edited.
//
// resid_pre[L] is the input of block L, resid_post[L] its output, so
// resid_post[L] = resid_pre[L+1]: both name the same *site*. Sites are numbered
// 0 .. n_layer; site k is what enters block k, and site n_layer is the output
// of the last block, before ln_f. Nothing after ln_f is a hook point.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_STEERING_HOOK_POINT_H_
#define ALIGNSAE_MODEL_STEERING_HOOK_POINT_H_

#include <string>

#include "absl/strings/str_cat.h"

namespace alignsae {

enum class HookKind { kResidPre, kResidPost };

struct HookPoint {
  HookKind kind = HookKind::kResidPre;
  int layer = 0;  // [0, n_layer).

  int site() const { return kind == HookKind::kResidPre ? layer : layer + 1; }
  // "resid_pre[3]", the form used in messages, answers and metrics.
  std::string ToString() const {
    return absl::StrCat(
        kind == HookKind::kResidPre ? "resid_pre[" : "resid_post[", layer, "]");
  }
  friend bool operator==(const HookPoint&, const HookPoint&) = default;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_HOOK_POINT_H_
