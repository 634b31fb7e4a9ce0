#include "model/train/pipeline/stage_plan.h"

#include "absl/strings/str_cat.h"

namespace alignsae {

std::vector<Progress::Part> PipelineParts(
    const std::vector<std::string>& hooks,
    const std::vector<std::string>& baselines) {
  std::vector<Progress::Part> parts = {{"data", 0.1}, {"lm", 10}};
  for (const std::string& hook : hooks) {
    parts.push_back({absl::StrCat("sae_", hook), 2});
  }
  parts.push_back({"evaluation", 9});
  for (const std::string& name : baselines) {
    parts.push_back({absl::StrCat("baseline_", name), 2.5});
  }
  return parts;
}

}  // namespace alignsae
