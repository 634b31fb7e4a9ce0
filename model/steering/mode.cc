#include "model/steering/mode.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/quote.h"

namespace alignsae {

// No default: the compiler tells of a mode without a name.
absl::string_view InterventionModeName(InterventionMode mode) {
  switch (mode) {
    case InterventionMode::kAdd:
      return "ADD";
    case InterventionMode::kAddNormMatched:
      return "ADD_NORM_MATCHED";
    case InterventionMode::kSet:
      return "SET";
    case InterventionMode::kMultiply:
      return "MULTIPLY";
    case InterventionMode::kAblate:
      return "ABLATE";
    case InterventionMode::kSwap:
      return "SWAP";
    case InterventionMode::kReplace:
      return "REPLACE";
    case InterventionMode::kProjectOut:
      return "PROJECT_OUT";
  }
  return "UNKNOWN";
}

std::string InterventionModeNames() {
  return absl::StrJoin(kInterventionModes, ", ",
                       [](std::string* out, InterventionMode mode) {
                         absl::StrAppend(out, InterventionModeName(mode));
                       });
}

absl::StatusOr<InterventionMode> ParseInterventionMode(absl::string_view name) {
  for (InterventionMode mode : kInterventionModes) {
    if (InterventionModeName(mode) == name) return mode;
  }
  return absl::InvalidArgumentError(absl::StrCat("mode: must be one of ",
                                                 InterventionModeNames(),
                                                 ", got ", Quoted(name)));
}

bool IsTwoSlotMode(InterventionMode mode) {
  return mode == InterventionMode::kSwap || mode == InterventionMode::kReplace;
}

bool HasAlpha(InterventionMode mode) {
  return mode != InterventionMode::kAblate &&
         mode != InterventionMode::kProjectOut;
}

bool HasAlphaUnit(InterventionMode mode) {
  return mode == InterventionMode::kSet || IsTwoSlotMode(mode);
}

bool TakesVector(InterventionMode mode) {
  return mode == InterventionMode::kAdd ||
         mode == InterventionMode::kAddNormMatched ||
         mode == InterventionMode::kProjectOut;
}

std::string VectorModeNames() {
  std::vector<absl::string_view> names;
  for (InterventionMode mode : kInterventionModes) {
    if (TakesVector(mode)) names.push_back(InterventionModeName(mode));
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace alignsae
