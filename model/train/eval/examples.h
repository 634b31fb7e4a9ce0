// Questions that show what each concept is: about one person of the data, each
// answered right by the model, and redirected right from every one to every
// other by the recommended steering.
//
// Thread-safety: one thread; owns the subject's engine meanwhile.
// Errors: those of the engine's steps.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_EXAMPLES_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_EXAMPLES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/eval/eval.h"

namespace alignsae {

// One question a relation, in the first test wording of each. The first person
// for whom all of it holds; if there is none, the first whose questions are all
// answered right; if there is none, "" for every relation: an example that
// shows a wrong answer teaches nothing.
absl::StatusOr<std::vector<std::string>> ChooseExamples(
    EvalSubject& subject, const SteeringChoice& choice,
    const EvalOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_EXAMPLES_H_
