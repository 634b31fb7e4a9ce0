// Edits of the residual stream: the formulas of the seven modes.
//
// h [D] residual at one position, s scale, d_j = W_dec[j, :], z = act(pre(h)):
//
//   ADD               h + s alpha d_j
//   ADD_NORM_MATCHED  h + alpha (norm(h) / norm(d_j)) d_j
//   SET               h + s (alpha c_j - z_j) d_j          RAW: alpha for alpha c_j
//   MULTIPLY          h + s (alpha - 1) z_j d_j
//   ABLATE            h - s z_j d_j
//   SWAP i -> j       h + s [ -z_i d_i + (alpha c_j - z_j) d_j ]
//   REPLACE i -> j    s (z' W_dec + b_dec), z' = z with z_i = 0, z_j = alpha c_j
//
// (AlignSAE, arXiv 2512.02004; the latent-delta form keeps the reconstruction
// error, REPLACE is the authors' form and drops it.)
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_INTERVENTION_APPLY_H_
#define ALIGNSAE_MODEL_INTERVENTION_APPLY_H_

#include <vector>

#include <ATen/ATen.h>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/intervention/spec.h"
#include "model/sae/sae.h"

namespace alignsae {

// One edit of one packed row. Edits of one call name distinct rows of
// `residual`; a request's interventions are applied in order by calling
// ApplyEdits once per place in the order.
struct ResidualEdit {
  int64_t row = 0;  // Of the packed residual.
  int position = 0;  // For the receipt.
  const Sae* sae = nullptr;
  const Intervention* intervention = nullptr;
  InterventionReceipt* receipt = nullptr;  // Appended to; may be null.
};

// Whether `sae` can run `intervention`: FAILED_PRECONDITION when it needs the
// whole SAE (free slot, REPLACE) and only concepts are loaded, or needs a
// calibrated mean that the slot lacks; INVALID_ARGUMENT for a direction of zero
// norm with ADD_NORM_MATCHED, or i = j. Call before Apply.
absl::Status CheckApplicable(const Sae& sae, const Intervention& intervention);

// Edits `residual` [N, D] in place. Edits that share SAE, mode and slots run as
// one batched operation. Every edit must have passed CheckApplicable.
void ApplyEdits(absl::Span<const ResidualEdit> edits, at::Tensor& residual);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_INTERVENTION_APPLY_H_
