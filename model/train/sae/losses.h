// The loss terms of AlignSAE training, each as a function of one batch.
//
// Every term is differentiable and averages over the batch's rows, so that a
// weight means the same at any batch size. Residuals are divided by the stored
// scale s before they come here (mean norm 1): the weights then carry over from
// layer to layer.
//
// Letters: B rows of the batch, D d_model, R concepts, K free
// features.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_LOSSES_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_LOSSES_H_

#include <ATen/ATen.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/sae/value_heads.h"

namespace alignsae {

// Factors of the terms in the sum. 0: the term is not computed.
struct SaeLossWeights {
  double recon = 1;
  double sparse = 1e-2;
  double align = 1;
  double perp = 1;
  double val = 0.5;
  double indep = 0;
  double prefix = 0;
  double write = 0;
  double l0 = 0;
  double aux = 0;
};

enum class PerpForm {
  kCovariance,   // Entries are covariances (centred, divided by B).
  kCorrelation,  // ... divided by both standard deviations.
};
absl::StatusOr<PerpForm> ParsePerpForm(absl::string_view name);
absl::string_view PerpFormName(PerpForm form);  // "covariance", "correlation".

enum class AlignForm {
  kCrossEntropy,  // Of the softmax over the slots.
  kOneHot,        // Squared error to a one-hot, averaged over the slots.
};
enum class SparseForm {
  kSum,   // Over the free features: grows with K.
  kMean,  // ... divided by K.
};

enum class ReconForm {
  kSum,   // Over D.
  kMean,  // ... divided by D, as the authors have it.
};

// Squared error, summed (or averaged) over D and averaged over rows. x, x_hat
// [B, D] -> [].
at::Tensor ReconLoss(const at::Tensor& x, const at::Tensor& x_hat,
                     ReconForm form = ReconForm::kSum);

// Squared error of what the concept slots alone reconstruct: a slot is pushed
// to write its concept, whatever the free features could write. z_concept
// [B, R], directions [R, D] (the slots' decoder rows), b_dec [D] -> [].
at::Tensor PrefixLoss(const at::Tensor& x, const at::Tensor& z_concept,
                      const at::Tensor& directions, const at::Tensor& b_dec);

// One less the cosine of each concept's decoder row with what its class's mean
// differs by from the mean of all classes, averaged over concepts: the cosine
// of the write certificate (model/sae/written.h), of the training rows.
// directions [R, D], differences [R, D] -> [].
at::Tensor WriteLoss(const at::Tensor& directions,
                     const at::Tensor& differences);

// Sum (or mean) over free features of abs(z), averaged over rows. z_free [B,
// K]; norms [K] weigh the features (of their decoder rows: then halving z and
// doubling the row changes nothing); undefined: all alike. -> [].
at::Tensor SparseLoss(const at::Tensor& z_free, SparseForm form,
                      const at::Tensor& norms = {});

// What dead features make of the error that the reconstruction leaves, so that
// they find work again (Gao et al. 2024, "Scaling and evaluating sparse
// autoencoders", appendix A.2): the squared error, summed over D and averaged
// over rows, of the `k` strongest dead features of each row against x - x_hat.
// Only they get a gradient. pre_free [B, K] pre-activations, dead [K] bool,
// directions [K, D] (the free features' decoder rows) -> []; 0 where none is
// dead.
at::Tensor AuxLoss(const at::Tensor& x, const at::Tensor& x_hat,
                   const at::Tensor& pre_free, const at::Tensor& dead,
                   const at::Tensor& directions, int64_t k);

// Distance of the slots from the concept asked. Rows of label -1 ask for none
// and add 0. slots [B, R] (pre-activations or activations), labels [B] int64 in
// [-1, R) -> [].
at::Tensor AlignLoss(const at::Tensor& slots, const at::Tensor& labels,
                     AlignForm form);

// labels [N] int64, -1: none -> [N, R] bool.
at::Tensor OneHot(const at::Tensor& labels, int64_t concepts);
// `has_concept`, or, where that is undefined, what `labels` say.
at::Tensor HasConcept(const at::Tensor& has_concept, const at::Tensor& labels,
                      int64_t concepts);

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

// The sum over facets; with kOneHot a facet that is not exclusive is the
// squared error to its concepts' 0 and 1. slots [B, R] of the rows `rows` [B]
// int64
// -> [].
at::Tensor AlignLoss(const at::Tensor& slots, const AlignTargets& targets,
                     const at::Tensor& rows, AlignForm form);

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
