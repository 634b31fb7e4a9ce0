#include "model/train/eval/compare.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace alignsae {
namespace {

using Pointer = nlohmann::json::json_pointer;

// NaN where there is no number, which differs from everything.
double NumberAt(const nlohmann::json& json, const Pointer& path) {
  return json.contains(path) && json.at(path).is_number()
             ? json.at(path).get<double>()
             : std::nan("");
}

}  // namespace

absl::Status CompareEvaluations(const nlohmann::json& stored,
                                const nlohmann::json& fresh, double tolerance) {
  std::vector<Pointer> figures = {Pointer("/language_model/test/all/whole"),
                                  Pointer("/test/binding/diagonal_accuracy"),
                                  Pointer("/test/swap/all/whole")};
  const Pointer targets("/test/swap/by_target");
  if (stored.contains(targets) && stored.at(targets).is_object()) {
    for (const auto& [relation, unused] : stored.at(targets).items()) {
      figures.push_back(targets / relation / "all" / "whole");
    }
  }
  std::vector<std::string> differences;
  for (const Pointer& figure : figures) {
    const double expected = NumberAt(stored, figure);
    const double got = NumberAt(fresh, figure);
    if (std::abs(expected - got) <= tolerance) continue;
    differences.push_back(
        absl::StrCat(figure.to_string(), ": stored ", expected, ", got ", got));
  }
  if (differences.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("evaluation: must be within ", tolerance,
                   " of the stored one; ", absl::StrJoin(differences, "; ")));
}

}  // namespace alignsae
