// Choosing layer, mode and alpha, on validation wordings only.
//
// Thread-safety: free functions, which own the subject's engine meanwhile.
// Errors: those of eval_swap.h, but for steerings that the engine refuses: they
// are candidates that cannot win.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_SELECT_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_SELECT_H_

#include "absl/status/statusor.h"
#include "model/train/eval/subject.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// One steering at its best alpha.
struct Candidate {
  Steering steering;
  double alpha = 1;
  double whole = -1;   // Whole-string success; -1: the engine refuses it.
  nlohmann::json row;  // For the report.
};

absl::StatusOr<Candidate> TrySteering(EvalSubject& subject,
                                      const Steering& steering,
                                      const EvalOptions& options,
                                      const EvalReporter& report);

// Whether `candidate` is better than `best` by more than `margin`. One that the
// engine refuses beats nothing and is beaten by any other.
bool Beats(const Candidate& candidate, const Candidate& best, double margin);

// What a further mode must be better by, on validation wordings, to be taken
// instead of the one before it. Modes come in order of preference: the first,
// SWAP, needs concept slots only, REPLACE the whole SAE; less than a hundredth
// is chance with the few people of the choice, and not worth that.
inline constexpr double kModeMargin = 0.01;

// The best of `steerings`, where a later one must be better by more than
// `margin`; every row goes to `rows`, an array. FAILED_PRECONDITION when the
// engine refuses all of them.
absl::StatusOr<Candidate> BestSteering(EvalSubject& subject,
                                       const std::vector<Steering>& steerings,
                                       double margin,
                                       const EvalOptions& options,
                                       const EvalReporter& report,
                                       nlohmann::json& rows);

// Layer (checkpoint) by the first mode, then the mode at that layer. Leaves
// {"layers", "modes"} in `selection`.
absl::StatusOr<Candidate> SelectSteering(EvalSubject& subject,
                                         const EvalOptions& options,
                                         const EvalReporter& report,
                                         nlohmann::json& selection);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_SELECT_H_
