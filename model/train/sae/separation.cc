#include "model/train/sae/separation.h"

namespace alignsae {
namespace {

// Features that hardly vary say nothing, whatever the ratio.
constexpr double kSilent = 1e-6;

}  // namespace

void FeatureSeparation::Add(const at::Tensor& z,
                            const at::Tensor& has_concept) {
  const auto exact = [](const at::Tensor& values) {
    return values.to(at::kCPU, at::kDouble);
  };
  const at::Tensor values = exact(z);
  const at::Tensor own = exact(has_concept);
  const at::Tensor sums = values.sum(0);
  const at::Tensor squares = (values * values).sum(0);
  const at::Tensor own_sums = at::matmul(own.t(), values);
  const bool first = prompts_ == 0;
  sums_ = first ? sums : sums_ + sums;
  squares_ = first ? squares : squares_ + squares;
  own_sums_ = first ? own_sums : own_sums_ + own_sums;
  own_ = first ? own.sum(0) : own_ + own.sum(0);
  prompts_ += z.size(0);
}

at::Tensor FeatureSeparation::Scores() const {
  const auto n = static_cast<double>(prompts_);
  const at::Tensor mean = sums_ / n;
  const at::Tensor deviation =
      (squares_ / n - mean * mean).clamp_min(0).sqrt();  // [K]
  const at::Tensor own = own_.unsqueeze(1);              // [R, 1]
  const at::Tensor gap = own_sums_ / own - (sums_ - own_sums_) / (n - own);
  return at::where((deviation > kSilent) & gap.isfinite(), gap / deviation,
                   at::zeros_like(gap));
}

std::vector<int> BestDistinctFeatures(const at::Tensor& scores) {
  // Neither a concept nor a feature that has been taken is free any more.
  constexpr double kTaken = -1e30;
  at::Tensor left = scores.clone();
  const int64_t features = left.size(1);
  std::vector<int> best(left.size(0), 0);
  for (size_t taken = 0; taken < best.size(); ++taken) {
    const int64_t highest = left.argmax().item<int64_t>();
    const int64_t r = highest / features;
    const int64_t feature = highest % features;
    best[r] = static_cast<int>(feature);
    left[r].fill_(kTaken);
    left.select(1, feature).fill_(kTaken);
  }
  return best;
}

}  // namespace alignsae
