#include "model/train/sae/class_means.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/train/sae/rows.h"

namespace alignsae {

absl::StatusOr<at::Tensor> ClassMeans(const at::Tensor& residuals,
                                      const at::Tensor& has_concept) {
  const int64_t concepts = has_concept.size(1);
  std::vector<at::Tensor> means;
  for (int64_t r = 0; r < concepts; ++r) {
    const at::Tensor rows = has_concept.select(1, r).nonzero().squeeze(1);
    if (rows.size(0) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("labels: must have a row of each of the ", concepts,
                       " concepts, got none of concept ", r));
    }
    at::Tensor sum = at::zeros({residuals.size(1)}, at::kDouble);
    ForEachPart(rows.to(residuals.device()), [&](const at::Tensor& part) {
      sum += residuals.index_select(0, part).to(at::kCPU, at::kDouble).sum(0);
    });
    means.push_back(sum / rows.size(0));
  }
  return at::stack(means);
}

}  // namespace alignsae
