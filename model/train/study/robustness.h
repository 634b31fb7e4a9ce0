// What reading and swapping do off the beaten track, in groups of prompts:
//
//   distance    of the wording from the nearest training wording of its
//               relation: the share of words that the two do not share
//   confidence  quarters of the test prompts by the reading's margin: the first
//               lies nearest to the boundary between two concepts
//   two asked   two questions in one prompt: whether the top slot is one of
//               both, and whether both are the two highest
//
// Thread-safety: as EvalSubject.
// Errors: those of MeasureBinding and MeasureSwaps.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_ROBUSTNESS_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_ROBUSTNESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/eval/eval.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// Share of the words of both, in lower case and without {name}, that only one
// of them has: 0 for the same words, 1 for none in common.
double WordDistance(absl::string_view a, absl::string_view b);

// [{"group": "distance 0.4 to 0.6", "prompts": n, "read": share,
//   "swap": share}, ...] of checkpoint 0 with `choice`; a group without prompts
// is left out. "two asked" has "read" and "both" instead of "swap".
absl::StatusOr<nlohmann::ordered_json> MeasureRobustness(
    EvalSubject& subject, const SteeringChoice& choice,
    const EvalOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_ROBUSTNESS_H_
