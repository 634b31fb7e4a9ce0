#include "model/train/sae/calibration.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace alignsae {
namespace {

// Values of slot `r` where the prompt has concept r, and where it has not.
std::pair<std::vector<double>, std::vector<double>> SplitByConcept(
    const at::Tensor& z, const at::Tensor& has_concept, int64_t r) {
  const at::Tensor values =
      z.select(1, r).to(at::kCPU, at::kDouble).contiguous();  // [N]
  const at::Tensor own =
      has_concept.select(1, r).to(at::kCPU).contiguous();  // [N] bool
  std::pair<std::vector<double>, std::vector<double>> parts;
  for (int64_t n = 0; n < values.numel(); ++n) {
    (own.data_ptr<bool>()[n] ? parts.first : parts.second)
        .push_back(values.data_ptr<double>()[n]);
  }
  return parts;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

}  // namespace

Threshold ChooseThreshold(absl::Span<const double> own,
                          absl::Span<const double> others) {
  std::vector<std::pair<double, bool>> sorted;  // Value, is own; falling.
  for (double value : own) sorted.emplace_back(value, true);
  for (double value : others) sorted.emplace_back(value, false);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  const double highest = sorted.empty() ? 0 : sorted.front().first;
  Threshold best = {.value = highest + std::max(1.0, std::abs(highest)),
                    .youden = 0};
  if (own.empty() || others.empty()) return best;
  double best_gap = 0;
  double own_above = 0;
  double others_above = 0;
  for (size_t i = 0; i + 1 < sorted.size(); ++i) {
    (sorted[i].second ? own_above : others_above) += 1;
    const double gap = sorted[i].first - sorted[i + 1].first;
    if (gap <= 0) continue;  // No threshold fits between equal values.
    const double youden = own_above / static_cast<double>(own.size()) -
                          others_above / static_cast<double>(others.size());
    if (youden > best.youden ||
        (youden == best.youden && youden > 0 && gap > best_gap)) {
      best = {.value = sorted[i + 1].first + gap / 2, .youden = youden};
      best_gap = gap;
    }
  }
  return best;
}

std::vector<ConceptCalibration> CalibrateConcepts(
    const at::Tensor& z_train, const at::Tensor& own_train,
    const at::Tensor& z_validation, const at::Tensor& own_validation) {
  const bool has_validation =
      z_validation.defined() && z_validation.size(0) > 0;
  std::vector<ConceptCalibration> calibrations;
  for (int64_t r = 0; r < z_train.size(1); ++r) {
    const auto [own, others] = SplitByConcept(z_train, own_train, r);
    ConceptCalibration calibration;
    calibration.active_mean = Mean(own);
    const auto [own_values, other_values] =
        has_validation ? SplitByConcept(z_validation, own_validation, r)
                       : std::make_pair(own, others);
    const Threshold threshold = ChooseThreshold(own_values, other_values);
    calibration.threshold = threshold.value;
    calibration.youden = threshold.youden;
    calibrations.push_back(calibration);
  }
  return calibrations;
}

}  // namespace alignsae
