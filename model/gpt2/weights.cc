#include "model/gpt2/weights.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <cstdint>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"
#include "model/gpt2/parameters.h"

namespace alignsae {
namespace {

struct BlockParameter {
  const char* name;
  at::Tensor Gpt2Block::*tensor;
  std::vector<int64_t> shape;
  ParameterInit init;
};

std::vector<BlockParameter> BlockParameters(int64_t d, int64_t inner) {
  using Init = ParameterInit;
  return {
      {"ln_1.weight", &Gpt2Block::ln_1_weight, {d}, Init::kOnes},
      {"ln_1.bias", &Gpt2Block::ln_1_bias, {d}, Init::kZeros},
      {"attn.c_attn.weight",
       &Gpt2Block::c_attn_weight,
       {d, 3 * d},
       Init::kNormal},
      {"attn.c_attn.bias", &Gpt2Block::c_attn_bias, {3 * d}, Init::kZeros},
      {"attn.c_proj.weight",
       &Gpt2Block::attn_proj_weight,
       {d, d},
       Init::kProjection},
      {"attn.c_proj.bias", &Gpt2Block::attn_proj_bias, {d}, Init::kZeros},
      {"ln_2.weight", &Gpt2Block::ln_2_weight, {d}, Init::kOnes},
      {"ln_2.bias", &Gpt2Block::ln_2_bias, {d}, Init::kZeros},
      {"mlp.c_fc.weight", &Gpt2Block::c_fc_weight, {d, inner}, Init::kNormal},
      {"mlp.c_fc.bias", &Gpt2Block::c_fc_bias, {inner}, Init::kZeros},
      {"mlp.c_proj.weight",
       &Gpt2Block::mlp_proj_weight,
       {inner, d},
       Init::kProjection},
      {"mlp.c_proj.bias", &Gpt2Block::mlp_proj_bias, {d}, Init::kZeros},
  };
}

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

at::Tensor Initialised(const Parameter& parameter, int layers, uint64_t seed) {
  constexpr double kDeviation = 0.02;
  switch (parameter.init) {
    case ParameterInit::kNormal:
      return Normal(parameter.shape, kDeviation, seed);
    case ParameterInit::kProjection:
      // Each block adds twice to the residual stream; this keeps the stream's
      // variance independent of depth (GPT-2 paper, section 2.3).
      return Normal(parameter.shape, kDeviation / std::sqrt(2.0 * layers),
                    seed);
    case ParameterInit::kZeros:
      return at::zeros(parameter.shape);
    case ParameterInit::kOnes:
      return at::ones(parameter.shape);
  }
  return at::Tensor();
}

}  // namespace

std::vector<Parameter> Parameters(const Gpt2Config& config,
                                  Gpt2Weights& weights) {
  const int64_t d = config.d_model;
  std::vector<Parameter> parameters;
  auto add = [&](absl::string_view prefix, absl::string_view name,
                 std::vector<int64_t> shape, ParameterInit init,
                 at::Tensor* tensor) {
    parameters.push_back(
        {absl::StrCat(prefix, name), std::move(shape), init, tensor});
  };
  add(kTransformerPrefix, "wte.weight", {config.vocab_size, d},
      ParameterInit::kNormal, &weights.wte);
  add(kTransformerPrefix, "wpe.weight", {config.context_length, d},
      ParameterInit::kNormal, &weights.wpe);
  weights.blocks.resize(config.n_layer);
  const std::vector<BlockParameter> of_block =
      BlockParameters(d, config.d_inner);
  for (int layer = 0; layer < config.n_layer; ++layer) {
    const std::string prefix =
        absl::StrCat(kTransformerPrefix, "h.", layer, ".");
    for (const BlockParameter& parameter : of_block) {
      add(prefix, parameter.name, parameter.shape, parameter.init,
          &(weights.blocks[layer].*parameter.tensor));
    }
  }
  add(kTransformerPrefix, "ln_f.weight", {d}, ParameterInit::kOnes,
      &weights.ln_f_weight);
  add(kTransformerPrefix, "ln_f.bias", {d}, ParameterInit::kZeros,
      &weights.ln_f_bias);
  if (!config.tie_word_embeddings) {
    add("", "lm_head.weight", {config.vocab_size, d}, ParameterInit::kNormal,
        &weights.lm_head);
  }
  return parameters;
}

std::vector<std::pair<std::string, at::Tensor*>> Gpt2Weights::Named() {
  Gpt2Config shapeless;  // Only names are taken.
  shapeless.n_layer = static_cast<int>(blocks.size());
  shapeless.tie_word_embeddings = lm_head.is_same(wte);
  std::vector<std::pair<std::string, at::Tensor*>> named;
  for (Parameter& parameter : Parameters(shapeless, *this)) {
    named.emplace_back(std::move(parameter.name), parameter.tensor);
  }
  return named;
}

Gpt2Weights InitGpt2Weights(const Gpt2Config& config, uint64_t seed) {
  Gpt2Weights weights;
  uint64_t index = 0;
  for (const Parameter& parameter : Parameters(config, weights)) {
    *parameter.tensor =
        Initialised(parameter, config.n_layer, RandomBits(seed, index++));
  }
  if (config.tie_word_embeddings) weights.lm_head = weights.wte;
  return weights;
}

}  // namespace alignsae
