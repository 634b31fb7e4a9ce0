// The second gate of a checkpoint (sae/outside_gate.h): fitted to residuals at
// its hook, and both gates measured on others.
//
// What the checkpoint knows is fitted on training wordings, the background on
// prompts that ask none of its concepts; the limit is where kSilentInValidation
// of the readings of validation wordings are outside. Figures are on test
// wordings and test negatives:
//
//   abstention    of prompts that ask none: not bound, or outside
//   silent_right  of test wordings read right: not bound, or outside
//   bound_wrong   of test wordings: read wrong, bound and not outside
//
// Letters: N prompts, D d_model, R concepts.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT for a concept without a prompt and for fewer than
// kLeastNegatives negatives; those of the collectors and of OutsideGate.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_OUTSIDE_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_OUTSIDE_H_

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/sae/outside_gate.h"
#include "model/sae/sae.h"
#include "model/train/data/negatives.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/subject.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// Directions of what is known and of the background, at most; fewer where there
// are fewer than kRowsOfDirection prompts for each. More wordings take more of
// them: on the demo (a grammar's wordings, between attention and MLP of the
// first block) 4 of what is known and a silence of 0.02 abstained at 0.904 of
// the test negatives, 24 and 0.04 at 0.975.
inline constexpr int kKnownRank = 24;
inline constexpr int kBackgroundRank = 48;
inline constexpr int kRowsOfDirection = 8;
// Validation wordings flatter: test wordings are silent more often.
inline constexpr double kSilentInValidation = 0.04;
inline constexpr int kLeastNegatives = 20;

// Residuals with the concepts that their prompts ask.
struct AskedResiduals {
  at::Tensor h;            // [N, D] float32, on the CPU.
  at::Tensor has_concept;  // [N, R] bool; no concept: a negative.
  // [N] of rows that are read together (sae/span_mean.h); may be undefined.
  at::Tensor prompts = {};
};

absl::StatusOr<OutsideGate> FitGate(const AskedResiduals& train,
                                    const at::Tensor& background /* [M, D] */,
                                    const AskedResiduals& validation);

// Figures of both gates, as above: {"abstention", "silent_right",
// "bound_wrong"} of shares (eval/share.h); a share of nothing is absent. The
// residuals without a concept are the negatives.
nlohmann::ordered_json MeasureGate(const Sae& sae, const AskedResiduals& test);

struct GatedCheckpoint {
  std::optional<OutsideGate> gate;  // nullopt: too few negatives.
  nlohmann::ordered_json figures;
};

// On the people of `inputs.set`. Figures also have "abstention_by_kind", and
// "silent_right" on the wordings that the model never saw as "unseen".
absl::StatusOr<GatedCheckpoint> GateOnPeople(
    const EvalInputs& inputs, const Sae& sae,
    const std::vector<Negative>& negatives);

// On labelled prompts: those without a concept are the negatives, of the train
// and validation splits for the background, of the test split for the figures.
absl::StatusOr<GatedCheckpoint> GateOnPrompts(const EvalInputs& inputs,
                                              const Sae& sae,
                                              const PromptSet& set);

// As lines for people.
std::string RenderGate(const nlohmann::ordered_json& figures);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_OUTSIDE_H_
