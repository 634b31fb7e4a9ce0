#include "model/train/sae/span_mean.h"

#include <vector>

namespace alignsae {

at::Tensor MeanOfPrompts(const at::Tensor& values, const at::Tensor& prompts) {
  if (!prompts.defined()) return values;
  const at::Tensor rows = prompts.to(values.device());
  std::vector<int64_t> shape = values.sizes().vec();
  shape[0] = prompts.max().item<int64_t>() + 1;
  const at::Tensor sums =
      at::zeros(shape, values.options()).index_add(0, rows, values);
  at::Tensor counts = at::bincount(rows).to(values.scalar_type());
  for (size_t i = 1; i < shape.size(); ++i) counts = counts.unsqueeze(-1);
  return sums / counts;
}

at::Tensor AnyOfPrompts(const at::Tensor& flags, const at::Tensor& prompts) {
  if (!prompts.defined()) return flags;
  return MeanOfPrompts(flags.to(at::kFloat), prompts).gt(0);
}

}  // namespace alignsae
