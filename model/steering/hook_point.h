// Where in the model the residual stream, or what a half block adds to it, is
// read and edited, and where variants of one prompt part.
//
// A forward pass comes to the hook points of block L in this order:
//
//   resid_pre[L]   [D]  the residual stream that enters the block
//   attn_out[L]    [D]  what attention is about to add to it
//   resid_mid[L]   [D]  the stream between attention and MLP
//   mlp_out[L]     [D]  what the MLP is about to add to it
//   resid_post[L]  [D]  the stream that leaves the block, = resid_pre[L+1]
//
// (TransformerLens's hook_resid_pre, hook_attn_out, ...) Nothing after ln_f is
// a hook point. Blocks part at *sites*, numbered 0 .. n_layer: site k is what
// enters block k, and site n_layer is the output of the last block, before
// ln_f.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_STEERING_HOOK_POINT_H_
#define ALIGNSAE_MODEL_STEERING_HOOK_POINT_H_

#include <array>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "model/base/field_error.h"

namespace alignsae {

enum class HookKind { kResidPre, kAttnOut, kResidMid, kMlpOut, kResidPost };

// Every kind, once, in the order of a forward pass.
inline constexpr std::array<HookKind, 5> kHookKinds = {
    HookKind::kResidPre, HookKind::kAttnOut, HookKind::kResidMid,
    HookKind::kMlpOut, HookKind::kResidPost};

absl::string_view HookKindName(HookKind kind);  // "resid_pre", ...
std::optional<HookKind> ParseHookKind(absl::string_view name);
// "resid_pre, attn_out, ... or resid_post", for messages.
std::string HookKindNames();

struct HookPoint {
  HookKind kind = HookKind::kResidPre;
  int layer = 0;  // [0, n_layer).

  // Its place in the order of a forward pass: the same for resid_post[L] and
  // resid_pre[L+1], and for no others.
  int place() const { return kPlaces * layer + static_cast<int>(kind); }
  // The last site that is not behind it: what is edited here leaves the keys
  // and values of blocks below that site, and the residual stream there, alone.
  int site() const { return place() / kPlaces; }
  // The first site that is not before it: once a row is there, it was here.
  int site_behind() const { return (place() + kPlaces - 1) / kPlaces; }
  bool inside_block() const { return site() != site_behind(); }

  // "resid_pre[3]", the form used in messages, answers and metrics.
  std::string ToString() const;
  friend bool operator==(const HookPoint&, const HookPoint&) = default;

 private:
  static constexpr int kPlaces = 4;  // A block.
};

// Why a model of `n_layer` blocks does not have `hook`, as its field "layer" or
// "kind"; nullopt: it has. A parallel residual (transformer/facts.h) leaves no
// resid_mid.
std::optional<FieldError> HookPointError(const HookPoint& hook, int n_layer,
                                         bool parallel_residual);

// Orders hook points as a forward pass comes to them; two names of one place
// are equal.
struct PlaceOrder {
  bool operator()(const HookPoint& a, const HookPoint& b) const {
    return a.place() < b.place();
  }
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
