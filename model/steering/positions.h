// Which tokens of a sequence an intervention or a readout is about.
//
// Thread-safety: value types; free functions.

#ifndef ALIGNSAE_MODEL_STEERING_POSITIONS_H_
#define ALIGNSAE_MODEL_STEERING_POSITIONS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace alignsae {

// As asked. ResolvePositions turns it into absolute positions.
struct PositionSelection {
  enum class Prompt { kNone, kLast, kAll, kList, kWindow };
  Prompt prompt = Prompt::kLast;
  // kList: negative ones count from the end (-1 is the last).
  std::vector<int64_t> positions;
  int64_t start = 0;  // kWindow: [start, stop); negative from the end.
  int64_t stop = 0;
  bool generated = false;  // Also every generated token.
};

struct ResolvedPositions {
  // Absolute, sorted, distinct, in [0, prompt_length).
  std::vector<int> prompt;
  bool generated = false;
};

// `prompt_length` is at least 1.
// Errors: INVALID_ARGUMENT, a FieldError whose path is in the selection ("" is
// the selection itself): an empty selection, a position outside the prompt, an
// empty or reversed window.
absl::StatusOr<ResolvedPositions> ResolvePositions(
    const PositionSelection& selection, int prompt_length);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_POSITIONS_H_
