#include "client/cli/hints.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace alignsae {
namespace {

constexpr double kLeast = 0.5;
constexpr double kMost = 3;

bool InActiveMeans(const v1::Intervention& edit) {
  switch (edit.mode()) {
    case v1::INTERVENTION_MODE_SET:
    case v1::INTERVENTION_MODE_SWAP:
    case v1::INTERVENTION_MODE_REPLACE:
      return edit.unit() != v1::ALPHA_UNIT_RAW;
    default:
      return false;
  }
}

std::string Hint(const v1::Checkpoint& checkpoint, const v1::Concept& target,
                 double alpha) {
  const double recommended = checkpoint.recommended_alpha();
  const double predicted = target.certificate().predicted_alpha();
  double low = recommended;
  double high = recommended;
  std::string why =
      absl::StrFormat("%s recommends %g", checkpoint.name(), recommended);
  if (target.certificate().has_predicted_alpha() && predicted > 0) {
    low = recommended > 0 ? std::min(low, predicted) : predicted;
    high = std::max(high, predicted);
    why = absl::StrFormat("%s%s's certificate predicts %.3g",
                          recommended > 0 ? why + ", " : "", target.name(),
                          predicted);
  }
  if (!(low > 0)) return "";
  low *= kLeast;
  high *= kMost;
  if (alpha >= low && alpha <= high) return "";
  return absl::StrFormat(
      "alpha %g is %s the useful range of %s, %.3g to %.3g "
      "(%s): %s",
      alpha, alpha < low ? "below" : "above", target.name(), low, high, why,
      alpha < low ? "the answer may not change" : "the answer may fall apart");
}

}  // namespace

std::vector<std::string> AlphaHints(
    const v1::ListConceptsResponse& concepts, const std::string& checkpoint,
    const std::vector<v1::Intervention>& edits) {
  std::vector<std::string> hints;
  for (const v1::Intervention& edit : edits) {
    if (!edit.has_alpha() || !InActiveMeans(edit)) continue;
    const std::string& wanted =
        edit.checkpoint().empty() ? checkpoint : edit.checkpoint();
    for (const v1::CheckpointConcepts& entry : concepts.checkpoints()) {
      if (!wanted.empty() && entry.checkpoint().name() != wanted) continue;
      for (const v1::Concept& each : entry.concepts()) {
        if (each.name() != edit.target().name() &&
            !(edit.target().has_slot() && each.slot() == edit.target().slot()))
          continue;
        const std::string hint = Hint(entry.checkpoint(), each, edit.alpha());
        if (!hint.empty()) hints.push_back(hint);
      }
      break;  // The request's checkpoint.
    }
  }
  return hints;
}

}  // namespace alignsae
