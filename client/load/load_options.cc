#include "client/load/load_options.h"

#include <algorithm>
#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace alignsae {

absl::StatusOr<LoadMix> ParseMix(absl::string_view text) {
  constexpr std::array<absl::string_view, 4> kKnown = {"read", "swap",
                                                       "complete", "generate"};
  LoadMix mix;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> sides = absl::StrSplit(part, '=');
    double weight = 1;
    if (std::find(kKnown.begin(), kKnown.end(), sides[0]) == kKnown.end() ||
        sides.size() > 2 ||
        (sides.size() == 2 &&
         (!absl::SimpleAtod(sides[1], &weight) || !(weight > 0)))) {
      return absl::InvalidArgumentError(
          absl::StrCat("--mix: must be of read, swap, complete and generate, "
                       "each with =WEIGHT "
                       "above 0, got \"",
                       part, "\""));
    }
    mix[std::string(sides[0])] = weight;
  }
  return mix;
}

}  // namespace alignsae
