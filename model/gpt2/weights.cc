#include "model/gpt2/weights.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <cstdint>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"

namespace alignsae {
namespace {

// normal(0, deviation), drawn by Box and Muller's transform from counters, so
// that a value depends on (seed, index) only and not on the number of threads.
at::Tensor Normal(at::IntArrayRef shape, double deviation, uint64_t seed) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.data_ptr<float>();
  const int64_t count = tensor.numel();
  const int64_t pairs = (count + 1) / 2;
  at::parallel_for(0, pairs, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin; pair < end; ++pair) {
      // 1 - u lies in (0, 1], where the logarithm is finite.
      const double radius =
          deviation *
          std::sqrt(-2 * std::log(1 - RandomUniform(seed, 2 * pair)));
      const double angle =
          2 * std::numbers::pi * RandomUniform(seed, 2 * pair + 1);
      values[2 * pair] = static_cast<float>(radius * std::cos(angle));
      if (2 * pair + 1 < count) {
        values[2 * pair + 1] = static_cast<float>(radius * std::sin(angle));
      }
    }
  });
  return tensor;
}

}  // namespace

std::vector<std::pair<std::string, at::Tensor*>> Gpt2Weights::Named() {
  std::vector<std::pair<std::string, at::Tensor*>> named = {
      {"transformer.wte.weight", &wte}, {"transformer.wpe.weight", &wpe}};
  for (size_t layer = 0; layer < blocks.size(); ++layer) {
    Gpt2Block& block = blocks[layer];
    const std::string prefix = absl::StrCat("transformer.h.", layer, ".");
    for (const auto& [name, tensor] :
         std::initializer_list<std::pair<const char*, at::Tensor*>>{
             {"ln_1.weight", &block.ln_1_weight},
             {"ln_1.bias", &block.ln_1_bias},
             {"attn.c_attn.weight", &block.c_attn_weight},
             {"attn.c_attn.bias", &block.c_attn_bias},
             {"attn.c_proj.weight", &block.attn_proj_weight},
             {"attn.c_proj.bias", &block.attn_proj_bias},
             {"ln_2.weight", &block.ln_2_weight},
             {"ln_2.bias", &block.ln_2_bias},
             {"mlp.c_fc.weight", &block.c_fc_weight},
             {"mlp.c_fc.bias", &block.c_fc_bias},
             {"mlp.c_proj.weight", &block.mlp_proj_weight},
             {"mlp.c_proj.bias", &block.mlp_proj_bias}}) {
      named.emplace_back(prefix + name, tensor);
    }
  }
  named.emplace_back("transformer.ln_f.weight", &ln_f_weight);
  named.emplace_back("transformer.ln_f.bias", &ln_f_bias);
  if (!lm_head.is_same(wte)) named.emplace_back("lm_head.weight", &lm_head);
  return named;
}

Gpt2Weights InitGpt2Weights(const Gpt2Config& config, uint64_t seed) {
  constexpr double kDeviation = 0.02;
  // Each block adds twice to the residual stream; this keeps its variance
  // independent of depth (GPT-2 paper, section 2.3).
  const double projection_deviation =
      kDeviation / std::sqrt(2.0 * config.n_layer);
  const int64_t d = config.d_model, inner = config.d_inner;
  uint64_t tensor_index = 0;
  auto normal = [&](at::IntArrayRef shape, double deviation) {
    return Normal(shape, deviation, RandomBits(seed, tensor_index++));
  };

  Gpt2Weights weights;
  weights.wte = normal({config.vocab_size, d}, kDeviation);
  weights.wpe = normal({config.context_length, d}, kDeviation);
  weights.blocks.resize(config.n_layer);
  for (Gpt2Block& block : weights.blocks) {
    block.ln_1_weight = at::ones({d});
    block.ln_1_bias = at::zeros({d});
    block.c_attn_weight = normal({d, 3 * d}, kDeviation);
    block.c_attn_bias = at::zeros({3 * d});
    block.attn_proj_weight = normal({d, d}, projection_deviation);
    block.attn_proj_bias = at::zeros({d});
    block.ln_2_weight = at::ones({d});
    block.ln_2_bias = at::zeros({d});
    block.c_fc_weight = normal({d, inner}, kDeviation);
    block.c_fc_bias = at::zeros({inner});
    block.mlp_proj_weight = normal({inner, d}, projection_deviation);
    block.mlp_proj_bias = at::zeros({d});
  }
  weights.ln_f_weight = at::ones({d});
  weights.ln_f_bias = at::zeros({d});
  weights.lm_head = config.tie_word_embeddings
                        ? weights.wte
                        : normal({config.vocab_size, d}, kDeviation);
  return weights;
}

}  // namespace alignsae
