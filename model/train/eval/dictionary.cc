#include "model/train/eval/dictionary.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace alignsae {
namespace {

// Rows encoded at once: [kChunk, F] floats are 800 MB at F = 100,000.
constexpr int64_t kChunk = 2048;

std::vector<double> ToVector(const at::Tensor& values) {
  const at::Tensor host = values.to(at::kCPU, at::kDouble).contiguous();
  return {host.data_ptr<double>(), host.data_ptr<double>() + host.numel()};
}

double MeanOf(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// Which features some row activates: [F] bool.
at::Tensor Alive(const Sae& sae, const at::Tensor& residuals) {
  at::Tensor alive = at::zeros({sae.config().n_features},
                               residuals.options().dtype(at::kBool));
  for (const at::Tensor& chunk : residuals.split(kChunk)) {
    alive = alive.logical_or(sae.Encode(chunk).ne(0).any(0));
  }
  return alive;
}

}  // namespace

double DictionaryStats::mean_effective_features() const {
  return MeanOf(effective_features);
}
double DictionaryStats::mean_effective_slots() const {
  return MeanOf(effective_slots);
}

double EffectiveCount(absl::Span<const double> mass) {
  double sum = 0;
  for (double value : mass) sum += value;
  if (!(sum > 0)) return 0;
  double entropy = 0;
  for (double value : mass) {
    const double p = value / sum;
    if (p > 0) entropy -= p * std::log(p);
  }
  return std::exp(entropy);
}

DictionaryStats MeasureDictionary(const Sae& sae, const at::Tensor& h,
                                  const at::Tensor& labels,
                                  const at::Tensor& training_h) {
  at::NoGradGuard no_grad;
  const at::Device device = sae.weights().w_enc.device();
  const at::Tensor residuals = h.to(device);
  const SaeConfig& config = sae.config();
  const int64_t concepts = sae.concept_count();
  std::vector<int64_t> slots;
  for (const Concept& entry : config.concepts) slots.push_back(entry.slot);
  const at::Tensor slot_index = at::tensor(slots, at::kLong).to(device);
  const at::Tensor is_free =
      at::ones({config.n_features}, residuals.options().dtype(at::kBool))
          .index_fill(0, slot_index, false);  // [F]

  // Sums over chunks, in double: N may be large.
  double squared_error = 0;
  double active = 0;
  at::Tensor mass = at::zeros({concepts, config.n_features},
                              residuals.options().dtype(at::kDouble));
  const std::vector<at::Tensor> chunks = residuals.split(kChunk);
  const std::vector<at::Tensor> label_chunks = labels.to(device).split(kChunk);
  for (size_t c = 0; c < chunks.size(); ++c) {
    const at::Tensor z = sae.Encode(chunks[c]);  // [n, F]
    squared_error += (sae.Decode(z) - chunks[c])
                         .to(at::kDouble)
                         .square()
                         .sum()
                         .item<double>();
    active += z.ne(0).logical_and(is_free).sum().item<double>();
    mass.index_add_(0, label_chunks[c], z.abs().to(at::kDouble));
  }
  const at::Tensor exact = residuals.to(at::kDouble);
  const double variance =
      (exact - exact.mean(0, true)).square().sum().item<double>();

  DictionaryStats stats;
  stats.fvu = variance > 0 ? squared_error / variance : 0;
  stats.l0 =
      active / static_cast<double>(std::max<int64_t>(1, residuals.size(0)));
  stats.free_features = is_free.sum().item<int64_t>();
  stats.dead_features =
      is_free.logical_and(Alive(sae, training_h.to(device)).logical_not())
          .sum()
          .item<int64_t>();
  for (int64_t r = 0; r < concepts; ++r) {
    stats.effective_features.push_back(EffectiveCount(ToVector(mass[r])));
    stats.effective_slots.push_back(
        EffectiveCount(ToVector(mass[r].index_select(0, slot_index))));
  }
  return stats;
}

}  // namespace alignsae
