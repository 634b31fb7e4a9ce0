#include "client/load/load_options.h"

#include <algorithm>
#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/base/nearest.h"

namespace alignsae {

namespace {

std::string Meant(absl::string_view name,
                  const std::vector<std::string>& known) {
  const std::string nearest = Nearest(name, known);
  return nearest.empty() || nearest == name
             ? ""
             : absl::StrCat("; did you mean ", nearest, "?");
}

}  // namespace

std::string LoadOptions::ClientName(int client) const {
  if (clients == 1) return client_id;
  return absl::StrCat(client_id.empty() ? "load" : client_id, "-", client);
}

absl::StatusOr<LoadMix> ParseMix(absl::string_view text) {
  constexpr std::array<absl::string_view, 14> kKnown = {
      "read",       "inspect", "stream",   "swap",     "complete",
      "generate",   "sweep",   "model",    "concepts", "tokenize",
      "detokenize", "explain", "validate", "watch"};
  LoadMix mix;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> sides = absl::StrSplit(part, '=');
    double weight = 1;
    if (std::find(kKnown.begin(), kKnown.end(), sides[0]) == kKnown.end() ||
        sides.size() > 2 ||
        (sides.size() == 2 &&
         (!absl::SimpleAtod(sides[1], &weight) || !(weight > 0)))) {
      return absl::InvalidArgumentError(
          absl::StrCat("--mix: must be of ", absl::StrJoin(kKnown, ", "),
                       ", each with =WEIGHT above 0, got \"", part, "\"",
                       Meant(sides[0], {kKnown.begin(), kKnown.end()})));
    }
    mix[std::string(sides[0])] = weight;
  }
  return mix;
}

}  // namespace alignsae
