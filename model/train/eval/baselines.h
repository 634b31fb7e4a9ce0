// What the full recipe is compared with, measured the same way (mode and alpha
// chosen on validation wordings, figures on test wordings) at the same hook:
//
//   class_means      no SAE: h + alpha (mean of target - mean of source), the
//                    means taken over the SAE's training prompts
//   without_perp     the recipe with the weight of perp at 0
//   without_val      ... of val at 0
//   without_stage1   stage 2 from random weights
//   stage1_features  stage 1 only (for the epochs of both stages); the best
//                    free feature per relation stands in for the concept slot
//
// Thread-safety: one call per directory at a time.
// Errors: INVALID_ARGUMENT for an unknown name; those of MakeSae and eval.h.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_BASELINES_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_BASELINES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/eval/eval.h"
#include "model/train/sae/checkpoint.h"
#include "nlohmann/json.hpp"

namespace alignsae {

std::vector<std::string> BaselineNames();  // In the order above.

// The difference of class means as an SAE, so that it runs through the same
// engine and intervention code: feature i -> j has the decoder row
// (mean_j - mean_i) / s with s = 1 and no encoder, and ADD of it is exactly
// h + alpha (mean_j - mean_i). Each feature is a "concept" named "i -> j".
absl::StatusOr<Sae> ClassMeanSae(const SaeInputs& inputs, HookPoint hook);
// The steering that goes with it, as checkpoint 0.
Steering ClassMeanSteering(int relations);

// The free feature that stands for each relation: the one whose mean activation
// on the relation's prompts exceeds that on other prompts by the most standard
// deviations. Distinct features; the strongest (relation, feature) first.
// `sae` is whole, with its concepts at slots 0 .. R-1.
absl::StatusOr<std::vector<int>> BestFreeFeatures(const SaeInputs& inputs,
                                                  const Sae& sae);

struct BaselinePlan {
  SaePlan sae;  // Hook, options of the full recipe, directory, progress.
  EvalOptions eval;
  EvalReporter report;
};

// {"binding", "swap"} of one baseline.
absl::StatusOr<nlohmann::json> MeasureBaseline(absl::string_view name,
                                               const EvalInputs& eval_inputs,
                                               const SaeInputs& sae_inputs,
                                               const BaselinePlan& plan);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_BASELINES_H_
