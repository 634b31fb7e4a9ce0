// ResidualHook: the one place where code outside the transformer sees and edits
// the residual stream. Forward knows nothing of SAEs; it calls the hook at
// every site, and a family calls it inside a block where somebody wants that.
//
// Thread-safety: called on the thread that runs Transformer::Forward.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_RESIDUAL_HOOK_H_
#define ALIGNSAE_MODEL_TRANSFORMER_RESIDUAL_HOOK_H_

#include <ATen/ATen.h>

#include "absl/types/span.h"
#include "model/steering/hook_point.h"

namespace alignsae {

// One sequence's share of a packed step: tokens at positions
// [start, start + length), which lie at rows [offset, offset + length) of the
// packed tensors.
struct PackedRow {
  int index = 0;  // Row of the step that the caller built, stable across sites.
  int kv_slot = 0;  // Slot of the KV cache that is written to.
  int start = 0;    // Positions already in the cache.
  int length = 0;   // >= 1.
  int offset = 0;   // First packed row; set by Gpt2::Forward, repacked on exit.
  int place = 0;    // In Forward's `rows`; set by Forward.
  // The row leaves after this site's hook ran: a readout needs no more. n_layer
  // together with logits = 0 leaves before the head.
  int exit_site = 0;
  int logits = 0;        // How many of the last positions meet the head.
  PromptFork fork = {};  // What it shares with other rows; none by default.
  // A row that continues another one: it has no tokens of its own but joins at
  // fork.site, before the hook, with the residual that the row at this place of
  // Forward's `rows` has there at the same positions. -1: it starts from
  // tokens.
  int continues = -1;
  // The row leaves before the hook of exit_site, where others continue it.
  bool is_trunk = false;
};

class ResidualHook {
 public:
  virtual ~ResidualHook() = default;

  // `residual` [N, D] float32 is the residual stream entering block `site` (for
  // site == n_layer: leaving the last block). Called once per site in rising
  // order, with the rows that are then in the step. May edit `residual` in
  // place; its memory is used again after the call, so copy what is kept.
  virtual void OnResidual(int site, absl::Span<const PackedRow> rows,
                          at::Tensor& residual) = 0;

  // Whether OnResidual does anything at `site`. Where it does not behind the
  // last block, positions whose logits nobody wants skip that block.
  virtual bool WantsSite(int site) const { return true; }

  // Whether anything is read or edited in a step of `rows`. Where nothing is,
  // the step may run without the hook, as one piece.
  virtual bool ActsIn(absl::Span<const PackedRow> rows) const { return true; }

  // The same inside block hook.layer: `hook` is attn_out, resid_mid or mlp_out,
  // in that order, and `part` [N, D] float32 what hook_point.h says of it. Only
  // for blocks whose inside is wanted.
  virtual void OnInside(const HookPoint& hook, absl::Span<const PackedRow> rows,
                        at::Tensor& part) {}
  // Whether OnInside does anything in block `layer`, which then computes its
  // parts apart.
  virtual bool WantsInside(int layer) const { return false; }
};

// A hook as a family has it, inside one block.
class BlockHook {
 public:
  BlockHook(ResidualHook& hook, int layer, absl::Span<const PackedRow> rows)
      : hook_(hook), layer_(layer), rows_(rows) {}

  // In the order of hook_point.h; a family with a parallel residual has no
  // kResidMid.
  void At(HookKind kind, at::Tensor& part) const {
    hook_.OnInside({kind, layer_}, rows_, part);
  }

 private:
  ResidualHook& hook_;
  const int layer_;
  const absl::Span<const PackedRow> rows_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_RESIDUAL_HOOK_H_
