// Baselines as checkpoints, by name, that a server loads beside an AlignSAE:
//
//   class_means         sae/simple_checkpoints.h
//   linear_probe        the same
//   separating_feature  a plain SAE; a concept's slot is the feature that tells
//                       it best from the others on the training prompts
//   output_feature      the same SAE; of the kCandidates features that tell it
//                       best, the one that does most to the output: set to its
//                       mean where the concept is asked, it makes the concept's
//                       answer begin right most often, on validation wordings
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT for another name, and for output_feature without
// people; those of simple_checkpoints.h and of MeasureSwaps.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_BASELINE_CHECKPOINTS_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_BASELINE_CHECKPOINTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/sae/sae.h"
#include "model/train/eval/options.h"
#include "model/train/eval/subject.h"
#include "model/train/sae/checkpoint.h"

namespace alignsae {

inline constexpr int kCandidates = 5;  // The authors look at five, too.

std::vector<std::string> BaselineCheckpointNames();  // In the order above.

struct BaselineCheckpointPlan {
  SaePlan sae;       // Of the SAE: hook, options, what stops it.
  EvalOptions eval;  // How many people are asked, of output_feature.
};

// `people.set` may be null, but for output_feature.
absl::StatusOr<Sae> MakeBaselineCheckpoint(absl::string_view name,
                                           const EvalInputs& people,
                                           const SaeInputs& inputs,
                                           const BaselineCheckpointPlan& plan);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_BASELINE_CHECKPOINTS_H_
