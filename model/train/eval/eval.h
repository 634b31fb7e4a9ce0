// The evaluation protocol: layer, mode and alpha are chosen on validation
// wordings; figures are reported on test wordings, and on the wordings that the
// language model never saw. Everything runs through the engine of the server.
//
// Relation r of the EvalSet is concept r of every checkpoint.
//
// The evaluation object (stored in bundle.json; report.h renders it):
//   protocol        people, alphas, samples
//   language_model  split -> answers without an edit
//   selection       layers: best alpha of each checkpoint with the first mode;
//                   modes: best alpha of each further mode at the best layer
//   chosen          checkpoint, hook, mode, alpha
//   test, unseen,   binding, swap; test also dictionary and written. The last
//   families,       three are the grammar's (data/wordings.h); a split without
//   synonyms,       wordings is not there
//   by_hand
//   baselines       name -> binding, swap (baselines.h)
// It holds no times and no paths: the same run gives the same bytes.
//
// Thread-safety: one thread per EvalSubject.
// Errors: INVALID_ARGUMENT names the option; FAILED_PRECONDITION when a
// checkpoint's concepts are not the set's relations; those of the reporter.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(auto subject,
//                             EvalSubject::Create(inputs, saes, rows));
//   ALIGNSAE_ASSIGN_OR_RETURN(nlohmann::json evaluation,
//                             Evaluate(*subject, options, reporter));

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_EVAL_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_EVAL_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/eval/options.h"
#include "model/train/eval/subject.h"
#include "model/train/eval/swap.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct SteeringChoice {
  int checkpoint = 0;
  InterventionMode mode = InterventionMode::kSwap;
  double alpha = 1;
};

// The evaluation object without "baselines"; selects among all checkpoints of
// `subject`. The choice is in "chosen".
absl::StatusOr<nlohmann::json> Evaluate(EvalSubject& subject,
                                        const EvalOptions& options,
                                        const EvalReporter& report);

// The same without "protocol" and "language_model", which are the same for all
// checkpoints of one model.
absl::StatusOr<nlohmann::json> EvaluateCheckpoints(EvalSubject& subject,
                                                   const EvalOptions& options,
                                                   const EvalReporter& report);

// The same with the choice given: "protocol", "language_model" (test wordings
// only), "chosen", "test", "unseen".
absl::StatusOr<nlohmann::json> EvaluateChoice(EvalSubject& subject,
                                              const SteeringChoice& choice,
                                              const EvalOptions& options,
                                              const EvalReporter& report);

// "chosen" of an evaluation object.
absl::StatusOr<SteeringChoice> ChoiceOf(const nlohmann::json& evaluation);

// How baselines are measured: {"selection", "swap"} and, with `binding`, also
// "binding" of checkpoint 0. The best of `steerings` is chosen on validation
// wordings; figures are on test wordings.
absl::StatusOr<nlohmann::json> EvaluateVariant(
    EvalSubject& subject, const std::vector<Steering>& steerings, bool binding,
    const EvalOptions& options, const EvalReporter& report);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_EVAL_H_
