// Checkpoints without AlignSAE's training, to compare one with. They have its
// file format, so that the same server and the same Swap run them.
//
//   class means   slot r writes (class mean r - mean of class means); its value
//                 is 1 at the class mean and 0 at the centre, along that line
//   linear probe  slot r reads the logit of a softmax regression (less the
//                 mean of all logits) and writes along its weights, by what
//                 raises the logit by the slot's value
//   plain SAE     stage 1 alone, without concept slots: its features have no
//                 names yet
//
// Letters: N prompts, D d_model, R concepts, F features.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT for a concept without a prompt; those of TrainSae
// and Sae::FromWeights.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_SIMPLE_CHECKPOINTS_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_SIMPLE_CHECKPOINTS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "model/sae/sae.h"
#include "model/steering/hook_point.h"
#include "model/train/sae/checkpoint.h"

namespace alignsae {

// Both calibrated (active_mean, threshold) as trained slots are.
absl::StatusOr<Sae> ClassMeanCheckpoint(const SaeInputs& inputs,
                                        HookPoint hook);
absl::StatusOr<Sae> LinearProbeCheckpoint(const SaeInputs& inputs,
                                          HookPoint hook);

// An SAE of plan.options.free_features features and no concepts, trained by
// reconstruction and sparsity for the epochs of both stages. Writes no file; a
// stop loses what was trained. The activation must be relu or identity: a
// feature that is made a concept's slot keeps its value.
absl::StatusOr<Sae> PlainSae(const SaeInputs& inputs, const SaePlan& plan);

// `rounds` features of each concept, [round][r]: of all features those that
// tell the concepts best from each other on the training prompts, none twice.
// INVALID_ARGUMENT unless there are rounds * R of them.
absl::StatusOr<std::vector<std::vector<int>>> TellingFeatures(
    const SaeInputs& inputs, const Sae& plain, int rounds);

// `plain` with concept r at features[r], calibrated.
absl::StatusOr<Sae> WithConceptsAt(const SaeInputs& inputs, const Sae& plain,
                                   const std::vector<int>& features);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_SIMPLE_CHECKPOINTS_H_
