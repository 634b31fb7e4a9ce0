// Edits of the residual stream: the formulas of the modes.
//
// h [D] residual at one position, s scale, d_j = W_dec[j, :], z = act(pre(h)):
//
//   ADD               h + s alpha d_j
//   ADD_NORM_MATCHED  h + alpha (norm(h) / norm(d_j)) d_j
//   SET               h + s (v - z_j) d_j
//   MULTIPLY          h + s (alpha - 1) z_j d_j
//   ABLATE            h - s z_j d_j
//   SWAP i -> j       h + s [ -z_i d_i + (v - z_j) d_j ]
//   REPLACE i -> j    s (z' W_dec + b_dec), z' = z with z_i = 0, z_j = v
//   PROJECT_OUT       h - (h . d_j) / (d_j . d_j) d_j
//
// where v = alpha c_j, or alpha itself in unit RAW. ADD, ADD_NORM_MATCHED and
// PROJECT_OUT also take a vector of the caller's in the place of d_j, with s
// = 1.
//
// (AlignSAE, arXiv 2512.02004; the latent-delta form keeps the reconstruction
// error, REPLACE is the authors' form and drops it.)
//
// z of a slot is read from the residual as the edit finds it, so interventions
// in a row see each other's effect.
//
// Thread-safety: pure functions.
// Errors: none; what may be applied is in rules.h.
//
// Example:
//   ALIGNSAE_RETURN_IF_ERROR(CheckApplicable(sae, swap));
//   InterventionReceipt receipt;
//   ApplyEdits({{.row = 4, .position = 4, .sae = &sae, .intervention = &swap,
//                .receipt = &receipt}}, residual);

#ifndef ALIGNSAE_MODEL_INTERVENTION_APPLY_H_
#define ALIGNSAE_MODEL_INTERVENTION_APPLY_H_

#include <ATen/ATen.h>

#include <vector>

#include "absl/types/span.h"
#include "model/sae/sae.h"
#include "model/steering/intervention.h"
#include "model/steering/receipt.h"

namespace alignsae {

// One edit of one packed row. Edits of one call name distinct rows of
// `residual`; a request's interventions are applied in order by calling
// ApplyEdits once per place in the order.
struct ResidualEdit {
  int64_t row = 0;           // Of the packed residual.
  int position = 0;          // For the receipt.
  const Sae* sae = nullptr;  // Null: the intervention has a vector.
  const Intervention* intervention = nullptr;
  InterventionReceipt* receipt = nullptr;  // Appended to; may be null.
};

// Edits `residual` [N, D] in place, on its own device. Edits that share SAE and
// mode run as one batched operation, whatever their slots, alphas and
// positions; the numbers of their receipts come back in one transfer, and are
// not computed where nobody asks. Every edit must have passed
// CheckApplicable, or CheckVector.
//
// ADD and ADD_NORM_MATCHED at alpha 0 and MULTIPLY at alpha 1 do not touch the
// residual: its bits stay, and so do those of rows that no edit names. A row
// whose edit overflows becomes inf or NaN; no other row does.
//
// Throws what LibTorch throws (no memory): call it inside WithTorchFence.
void ApplyEdits(absl::Span<const ResidualEdit> edits, at::Tensor& residual);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_INTERVENTION_APPLY_H_
