#include "model/train/eval/options.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/train/common/parse_list.h"

namespace alignsae {
absl::StatusOr<std::vector<double>> ParseAlphas(absl::string_view text) {
  return ParseList<double>(
      "alphas", text, [](absl::string_view part) -> absl::StatusOr<double> {
        double alpha = 0;
        if (!absl::SimpleAtod(part, &alpha) || !std::isfinite(alpha)) {
          return absl::InvalidArgumentError(absl::StrCat(
              "alphas: must be finite numbers, got ", Quoted(part)));
        }
        return alpha;
      });
}

absl::StatusOr<std::vector<InterventionMode>> ParseModes(
    absl::string_view text) {
  return ParseList<InterventionMode>(
      "modes", text,
      [](absl::string_view part) -> absl::StatusOr<InterventionMode> {
        ALIGNSAE_ASSIGN_OR_RETURN(const InterventionMode mode,
                                  ParseInterventionMode(part));
        // The other two name no target.
        if (mode == InterventionMode::kMultiply ||
            mode == InterventionMode::kAblate) {
          return absl::InvalidArgumentError(
              absl::StrCat("modes: must steer to a concept, got ", part));
        }
        return mode;
      });
}

}  // namespace alignsae
