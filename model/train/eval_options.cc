#include "model/train/eval_options.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// The parts of a list, each once.
template <typename T, typename Parse>
absl::StatusOr<std::vector<T>> ParseList(absl::string_view name,
                                         absl::string_view text, Parse parse) {
  std::vector<T> values;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    ALIGNSAE_ASSIGN_OR_RETURN(const T value,
                              parse(absl::StripAsciiWhitespace(part)));
    if (std::find(values.begin(), values.end(), value) != values.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": must name each once, got ", Quoted(part), " again"));
    }
    values.push_back(value);
  }
  return values;
}

}  // namespace

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
