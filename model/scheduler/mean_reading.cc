#include "model/scheduler/mean_reading.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace alignsae {
namespace {

// Adds `values` to `sums`, in double.
void AddTo(const std::vector<float>& values, std::vector<double>& sums) {
  sums.resize(values.size(), 0);
  for (size_t i = 0; i < values.size(); ++i) sums[i] += values[i];
}

std::vector<float> Divided(const std::vector<double>& sums, double count) {
  std::vector<float> means;
  means.reserve(sums.size());
  for (double sum : sums) means.push_back(static_cast<float>(sum / count));
  return means;
}

// What follows from the means; a plain SAE has none.
void Judge(absl::Span<const Concept> concepts, ConceptReading& reading) {
  const std::vector<float>& probabilities = reading.probabilities;
  if (probabilities.empty()) return;
  const auto top = std::max_element(probabilities.begin(), probabilities.end());
  reading.top = static_cast<int>(top - probabilities.begin());
  float runner_up = 0;
  for (auto it = probabilities.begin(); it != probabilities.end(); ++it) {
    if (it != top) runner_up = std::max(runner_up, *it);
  }
  reading.margin = *top - runner_up;
  const float value = reading.values[reading.top];
  reading.bound = value > 0 && value >= concepts[reading.top].threshold;
}

}  // namespace

ConceptReading MeanReading(absl::Span<const ConceptReading> readings,
                           absl::Span<const Concept> concepts) {
  if (readings.size() == 1) return readings.front();
  const double count = static_cast<double>(readings.size());
  std::vector<double> values, probabilities;
  double ratio = 0, norm = 0;
  for (const ConceptReading& reading : readings) {
    AddTo(reading.values, values);
    AddTo(reading.probabilities, probabilities);
    ratio += reading.outside_ratio.value_or(0);
    norm += reading.residual_norm;
  }
  ConceptReading mean;
  mean.checkpoint = readings.back().checkpoint;
  mean.position = readings.back().position;
  mean.positions = static_cast<int>(readings.size());
  mean.values = Divided(values, count);
  mean.probabilities = Divided(probabilities, count);
  mean.residual_norm = norm / count;
  if (readings.back().outside_ratio) mean.outside_ratio = ratio / count;
  Judge(concepts, mean);
  return mean;
}

}  // namespace alignsae
