// The loss terms of AlignSAE training, each as a function of one batch.
//
// Every term is differentiable and averages over the batch's rows, so that a
// weight means the same at any batch size. Residuals are divided by the stored
// scale s before they come here (mean norm 1): the weights then carry over from
// layer to layer.
//
// Letters: B rows of the batch, D d_model, R concepts, K free features, H
// hidden units of a value head, V answer tokens (first tokens seen in
// training).
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_LOSSES_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_LOSSES_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

// Factors of the terms in the sum. 0: the term is not computed.
struct SaeLossWeights {
  double recon = 1;
  double sparse = 1e-2;
  double align = 1;
  double perp = 1;
  double val = 0.5;
  double indep = 0;
};

enum class PerpForm {
  kCovariance,   // Entries are covariances (centred, divided by B).
  kCorrelation,  // ... divided by both standard deviations.
};
absl::StatusOr<PerpForm> ParsePerpForm(absl::string_view name);
absl::string_view PerpFormName(PerpForm form);  // "covariance", "correlation".

// One head per concept: the scalar z_r -> H -> logits over the answer tokens.
// Training-only: they tie a slot's value to the answer and are not served.
struct ValueHeads {
  at::Tensor w1;  // [R, H]
  at::Tensor b1;  // [R, H]
  at::Tensor w2;  // [R, H, V]
  at::Tensor b2;  // [R, V]
  // Token id of each of the V outputs, rising.
  std::vector<int64_t> tokens;
};

// Sum over D of the squared error, averaged over rows. x, x_hat [B, D] -> [].
at::Tensor ReconLoss(const at::Tensor& x, const at::Tensor& x_hat);

// Sum over free features of abs(z), averaged over rows. z_free [B, K] -> [].
at::Tensor SparseLoss(const at::Tensor& z_free);

// Cross-entropy of softmax(pre of the concept slots) against the concept asked.
// pre_concept [B, R], labels [B] int64 -> [].
at::Tensor AlignLoss(const at::Tensor& pre_concept, const at::Tensor& labels);

// labels [N] int64, -1: none -> [N, R] bool.
at::Tensor OneHot(const at::Tensor& labels, int64_t concepts);

// What the concept slots of all N rows should say, facet by facet.
class AlignTargets {
 public:
  // has_concept [N, R] bool. Each facet: concepts that exclude each other,
  // rising indices into R.
  AlignTargets(const at::Tensor& has_concept,
               const std::vector<std::vector<int>>& facets);

  struct Facet {
    at::Tensor concepts;  // [n] int64 indices into R.
    // No row has two of the facet's concepts, which are two or more: the term
    // is cross-entropy over the rows that have one. Else each concept is told
    // from its absence (binary cross-entropy over all rows).
    bool exclusive = false;
    at::Tensor labels;   // [N] int64 into the facet, -1: none; exclusive only.
    at::Tensor present;  // [N, n] bool; else.
  };
  const std::vector<Facet>& facets() const { return facets_; }

 private:
  std::vector<Facet> facets_;
};

// The sum over facets. pre_concept [B, R] of the rows `rows` [B] int64 -> [].
at::Tensor AlignLoss(const at::Tensor& pre_concept, const AlignTargets& targets,
                     const at::Tensor& rows);

// Sum over R x K of the squared batch cross-covariance (or correlation) of
// concept slots and free features: concept evidence must not hide in the free
// features. z_concept [B, R], z_free [B, K] -> [].
at::Tensor PerpLoss(const at::Tensor& z_concept, const at::Tensor& z_free,
                    PerpForm form);

// Cross-entropy of head_r(z_r) against the first token of the answer, r being
// the concept that the row asks for. z_concept [B, R], labels [B] int64,
// targets [B] int64 (index into heads.tokens) -> [].
at::Tensor ValueLoss(const ValueHeads& heads, const at::Tensor& z_concept,
                     const at::Tensor& labels, const at::Tensor& targets);

// Sum of the squared off-diagonal covariances of the free features. Computed
// from the B x B Gram matrix (norm(Z'Z) = norm(ZZ')): K x K would need 40 GB at
// K = 100,000. z_free [B, K] -> [].
at::Tensor IndepLoss(const at::Tensor& z_free);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_LOSSES_H_
