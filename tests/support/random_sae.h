// An Sae with the weights of a ReferenceSae, so that a test can compare the
// two.

#ifndef ALIGNSAE_TESTS_SUPPORT_RANDOM_SAE_H_
#define ALIGNSAE_TESTS_SUPPORT_RANDOM_SAE_H_

#include <ATen/ATen.h>

#include <optional>
#include <vector>

#include "model/sae/sae.h"
#include "model/steering/intervention.h"
#include "tests/reference/sae_reference.h"

namespace alignsae {

// float32 on the CPU.
inline at::Tensor FloatTensor(const std::vector<double>& values,
                              std::vector<int64_t> shape) {
  return at::tensor(values, at::kDouble).to(at::kFloat).reshape(shape);
}

inline SaeWeights WeightsOf(const ReferenceSae& sae) {
  const int64_t d_model = sae.config.d_model;
  const int64_t n_features = sae.config.n_features;
  SaeWeights weights;
  weights.w_enc = FloatTensor(sae.w_enc, {d_model, n_features});
  weights.b_enc = FloatTensor(sae.b_enc, {n_features});
  weights.w_dec = FloatTensor(sae.w_dec, {n_features, d_model});
  weights.b_dec = FloatTensor(sae.b_dec, {d_model});
  if (!sae.threshold.empty()) {
    weights.threshold = FloatTensor(sae.threshold, {n_features});
  }
  return weights;
}

inline Sae SaeOf(const ReferenceSae& sae) {
  return Sae::FromWeights(sae.config, WeightsOf(sae)).value();
}

inline Intervention MakeIntervention(InterventionMode mode, int target,
                                     std::optional<int> source = std::nullopt,
                                     double alpha = 1,
                                     AlphaUnit unit = AlphaUnit::kActiveMean) {
  Intervention intervention;
  intervention.mode = mode;
  intervention.target_slot = target;
  intervention.source_slot = source;
  intervention.alpha = alpha;
  intervention.unit = unit;
  return intervention;
}

// Row `n` of a float32 matrix.
inline std::vector<double> RowOf(const at::Tensor& matrix, int64_t n) {
  const at::Tensor row =
      matrix.select(0, n).to(at::kCPU, at::kDouble).contiguous();
  return {row.data_ptr<double>(), row.data_ptr<double>() + row.numel()};
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_RANDOM_SAE_H_
