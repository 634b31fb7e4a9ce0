#include "model/train/sae/rows.h"

#include <algorithm>
#include <vector>

namespace alignsae {

void ForEachPart(const at::Tensor& rows,
                 const std::function<void(const at::Tensor& part)>& see) {
  const int64_t count = rows.size(0);
  for (int64_t begin = 0; begin < count; begin += kPartRows) {
    see(rows.narrow(0, begin, std::min(kPartRows, count - begin)));
  }
}

at::Tensor InParts(
    const at::Tensor& rows,
    const std::function<at::Tensor(const at::Tensor& part)>& make) {
  std::vector<at::Tensor> parts;
  ForEachPart(rows,
              [&](const at::Tensor& part) { parts.push_back(make(part)); });
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

double MeanNorm(const at::Tensor& residuals) {
  return InParts(residuals,
                 [](const at::Tensor& part) {
                   return part.to(at::kDouble).norm(2, {1});
                 })
      .mean()
      .item<double>();
}

bool AllFinite(const at::Tensor& residuals) {
  bool finite = true;
  ForEachPart(residuals, [&finite](const at::Tensor& part) {
    finite = finite && at::isfinite(part).all().item<bool>();
  });
  return finite;
}

at::Tensor MeanRow(const at::Tensor& residuals, double scale) {
  const double all = static_cast<double>(residuals.size(0));
  const at::Tensor means = InParts(residuals, [&](const at::Tensor& part) {
    return (part.to(at::kFloat) / scale).mean(0, /*keepdim=*/true);
  });
  if (means.size(0) == 1) return means[0];
  std::vector<double> shares;
  ForEachPart(residuals, [&](const at::Tensor& part) {
    shares.push_back(static_cast<double>(part.size(0)) / all);
  });
  return at::matmul(at::tensor(shares, at::kDouble).to(means.device()),
                    means.to(at::kDouble))
      .to(at::kFloat);
}

}  // namespace alignsae
