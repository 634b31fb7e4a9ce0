// Small random GPT-2s for tests. The weights are wide enough that every part of
// the forward pass matters and greedy text does not loop.
//
// Example:
//   const Gpt2 model = TinyModel({.n_layer = 2, .n_head = 2, .d_model = 8});

#ifndef ALIGNSAE_TESTS_SUPPORT_TINY_MODEL_H_
#define ALIGNSAE_TESTS_SUPPORT_TINY_MODEL_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/base/counter_rng.h"
#include "model/gpt2/gpt2.h"

namespace alignsae {

// Uniform around 1 for layer norms' weights, around 0 for everything else; also
// biases, which InitGpt2Weights leaves at 0.
inline Gpt2Weights WideWeights(const Gpt2Config& config, uint64_t seed) {
  Gpt2Weights weights = InitGpt2Weights(config, seed);
  uint64_t index = 0;
  for (auto& [name, tensor] : weights.Named()) {
    CounterRng rng(RandomBits(seed, index++));
    const bool norm = name.find("ln_") != std::string::npos;
    const bool norm_weight = norm && name.find(".weight") != std::string::npos;
    const double spread = tensor->dim() == 2 ? 0.35 : 0.2;
    float* values = tensor->data_ptr<float>();
    for (int64_t i = 0; i < tensor->numel(); ++i) {
      values[i] = static_cast<float>((norm_weight ? 1 : 0) +
                                     spread * (2 * rng.NextUniform() - 1));
    }
  }
  return weights;
}

inline Gpt2 TinyModel(const Gpt2Config& config, uint64_t seed = 1) {
  return Gpt2(config, WideWeights(config, seed));
}

// `length` ids in [0, vocab_size), decided by `seed`.
inline std::vector<int32_t> RandomTokens(const Gpt2Config& config, int length,
                                         uint64_t seed) {
  CounterRng rng(seed);
  std::vector<int32_t> tokens(length);
  for (int32_t& token : tokens) {
    token = static_cast<int32_t>(rng.NextBelow(config.vocab_size));
  }
  return tokens;
}

// The parameters as ReferenceGpt2 takes them.
inline std::map<std::string, std::vector<double>> ParametersOf(
    Gpt2Weights weights) {
  std::map<std::string, std::vector<double>> parameters;
  for (const auto& [name, tensor] : weights.Named()) {
    const at::Tensor values = tensor->to(at::kCPU, at::kDouble).contiguous();
    const double* data = values.data_ptr<double>();
    parameters[name].assign(data, data + values.numel());
  }
  return parameters;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_TINY_MODEL_H_
