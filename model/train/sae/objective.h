// The loss of one batch of an SAE's training: the terms of losses.h that the
// options ask for.
//
// Letters: N rows of the data, B of the batch, D d_model, R concepts, K free
// features.
//
// Thread-safety: const after it is made, but for Loss's arguments.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_OBJECTIVE_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_OBJECTIVE_H_

#include <ATen/ATen.h>

#include "absl/status/status.h"
#include "model/train/sae/dataset.h"
#include "model/train/sae/epoch_log.h"
#include "model/train/sae/losses.h"
#include "model/train/sae/model.h"
#include "model/train/sae/options.h"
#include "model/train/sae/value_heads.h"

namespace alignsae {

// The terms that `options` give epoch `epoch` (from 1, both stages counted),
// which is of stage `stage`.
SaeLossWeights WeightsOfEpoch(const SaeOptions& options, int stage, int epoch);

// Whether the terms fit the activation, whatever the data.
absl::Status CheckTerms(const SaeOptions& options);

class SaeObjective {
 public:
  // `options`, which CheckFields has passed, must outlive it. Of the data it
  // takes the labels.
  SaeObjective(const SaeDataset& data, const SaeOptions& options,
               const ValueHeads& heads);

  // What each class's mean differs by from the mean of all, / s; before Loss
  // where the term `write` has a weight. [R, D]
  void SetClassDifferences(const at::Tensor& differences);

  struct Batch {
    at::Tensor rows;  // [B] int64, of the data.
    at::Tensor x;     // [B, D], their residuals / s.
    at::Tensor dead;  // [K] bool; undefined: not needed.
  };
  // Adds the terms, times B, to `sums`. -> []
  at::Tensor Loss(const TrainableSae& sae, const ValueHeads& heads,
                  const TrainableSae::Output& out, const Batch& batch,
                  const SaeLossWeights& weights, SaeEpochLog& sums) const;

 private:
  const SaeOptions& options_;
  const int concepts_;
  const PerpForm perp_form_;
  at::Tensor targets_;   // [N] index into heads.tokens
  at::Tensor answered_;  // [N] labels; -1 also where there is no answer
  AlignTargets align_;
  at::Tensor differences_;  // [R, D]
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_OBJECTIVE_H_
