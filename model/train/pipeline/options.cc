#include "model/train/pipeline/options.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "model/train/common/parse_list.h"
#include "model/train/eval/baselines.h"

namespace alignsae {

absl::StatusOr<std::vector<int>> ParseLayers(absl::string_view text,
                                             int n_layer) {
  return ParseList<int>(
      "layers", text, [n_layer](absl::string_view part) -> absl::StatusOr<int> {
        int layer = 0;
        if (!absl::SimpleAtoi(part, &layer) || layer < 0 || layer >= n_layer) {
          return absl::InvalidArgumentError(absl::StrCat(
              "layers: must be in [0, ", n_layer - 1, "], got ", Quoted(part),
              "; the model has ", n_layer, " blocks"));
        }
        return layer;
      });
}

absl::StatusOr<std::vector<std::string>> ParseBaselines(
    absl::string_view text) {
  const std::vector<std::string> names = BaselineNames();
  if (text == "all") return names;
  if (text == "none") return std::vector<std::string>();
  return ParseList<std::string>(
      "baselines", text,
      [&names](absl::string_view part) -> absl::StatusOr<std::string> {
        if (std::find(names.begin(), names.end(), part) == names.end()) {
          return absl::InvalidArgumentError(
              absl::StrCat("baselines: must be all, none or names of ",
                           absl::StrJoin(names, ", "), ", got ", Quoted(part)));
        }
        return std::string(part);
      });
}

}  // namespace alignsae
