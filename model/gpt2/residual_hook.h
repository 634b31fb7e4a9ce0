// ResidualHook: the one place where code outside gpt2 sees and edits the
// residual stream. gpt2 knows nothing of SAEs; it calls the hook at every site.
//
// Thread-safety: called on the thread that runs Gpt2::Forward.

#ifndef ALIGNSAE_MODEL_GPT2_RESIDUAL_HOOK_H_
#define ALIGNSAE_MODEL_GPT2_RESIDUAL_HOOK_H_

#include <ATen/ATen.h>

#include "absl/types/span.h"

namespace alignsae {

// One sequence's share of a packed step: tokens at positions
// [start, start + length), which lie at rows [offset, offset + length) of the
// packed tensors.
struct PackedRow {
  int index = 0;  // Row of the step that the caller built, stable across sites.
  int kv_slot = 0;  // Slot of the KV cache, one per row.
  int start = 0;    // Positions already in the cache.
  int length = 0;   // >= 1.
  int offset = 0;   // First packed row; set by Gpt2::Forward, repacked on exit.
  // The row leaves after this site's hook ran: a readout needs no more. n_layer
  // together with logits = false leaves before the head.
  int exit_site = 0;
  bool logits = false;  // The last position's logits are wanted.
};

class ResidualHook {
 public:
  virtual ~ResidualHook() = default;

  // `residual` [N, D] is the residual stream entering block `site` (for site ==
  // n_layer: leaving the last block). Called once per site in rising order,
  // with the rows that are still in the step. May edit `residual` in place.
  virtual void OnResidual(int site, absl::Span<const PackedRow> rows,
                          at::Tensor& residual) = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_RESIDUAL_HOOK_H_
