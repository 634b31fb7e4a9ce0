// Where in the model the residual stream is read and edited, and where variants
// of one prompt part.
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

// Where variants of one prompt part. What they have in common, everything
// before `position` and, at the positions from there on, everything below
// `site`, is computed once. Its keys and values lie in `kv_slot`, which one of
// the variants writes its own to as well: the two do not overlap.
struct PromptFork {
  int kv_slot = -1;  // Of the row that stored them; -1: none are shared.
  int site = 0;      // [0, n_layer]; n_layer: no prompt position is changed.
  int position = 0;  // [0, length).
  int length = 0;    // Of the prompt.

  // Positions [0, SharedAt(layer)) of a block are read from `kv_slot`.
  int SharedAt(int layer) const {
    if (kv_slot < 0) return 0;
    return layer < site ? length : position;
  }
  friend bool operator==(const PromptFork&, const PromptFork&) = default;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_HOOK_POINT_H_
