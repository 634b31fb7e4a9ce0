// Which tokens of its prompts a checkpoint was trained on: where its slots mean
// something.
//
// Thread-safety: constants and pure functions.

#ifndef ALIGNSAE_MODEL_STEERING_TRAINED_POSITIONS_H_
#define ALIGNSAE_MODEL_STEERING_TRAINED_POSITIONS_H_

#include <optional>

#include "absl/strings/string_view.h"

namespace alignsae {

enum class TrainedPositions {
  kUnknown,
  kLast,      // The last token of each prompt.
  kAll,       // Every token.
  kLabelled,  // Those that its labelled prompts name.
  // All tokens of the texts that its labelled prompts name; their mean is what
  // is read.
  kSpan,
};

// As in cfg.json; kUnknown is "".
inline absl::string_view TrainedPositionsName(TrainedPositions positions) {
  switch (positions) {
    case TrainedPositions::kLast:
      return "last";
    case TrainedPositions::kAll:
      return "all";
    case TrainedPositions::kLabelled:
      return "labelled";
    case TrainedPositions::kSpan:
      return "span";
    default:
      return "";
  }
}

inline std::optional<TrainedPositions> FindTrainedPositions(
    absl::string_view name) {
  for (TrainedPositions each :
       {TrainedPositions::kLast, TrainedPositions::kAll,
        TrainedPositions::kLabelled, TrainedPositions::kSpan}) {
    if (name == TrainedPositionsName(each)) return each;
  }
  return std::nullopt;
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_TRAINED_POSITIONS_H_
