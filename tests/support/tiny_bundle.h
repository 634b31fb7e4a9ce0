// A small random bundle in memory: GPT-2 with an SAE at two hook points. For
// tests of what sits on top of the model; the weights are wide enough that
// greedy text does not loop.

#ifndef ALIGNSAE_TESTS_SUPPORT_TINY_BUNDLE_H_
#define ALIGNSAE_TESTS_SUPPORT_TINY_BUNDLE_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"
#include "model/bundle/bundle.h"
#include "model/gpt2/gpt2.h"
#include "tests/support/test_device.h"

namespace alignsae {

inline Gpt2Config TinyGpt2Config() {
  Gpt2Config config;
  config.n_layer = 4;
  config.n_head = 4;
  config.d_model = 32;
  config.d_inner = 52;  // No multiple of a vector register's width.
  config.context_length = 48;
  config.vocab_size = 97;
  return config;
}

// Uniform in [-scale, scale), a function of `seed` alone.
inline at::Tensor UniformTensor(std::vector<int64_t> shape, double scale,
                                uint64_t seed) {
  at::Tensor values = at::empty(shape, at::kFloat);
  CounterRng rng(seed);
  float* data = values.data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    data[i] = static_cast<float>((2 * rng.NextUniform() - 1) * scale);
  }
  return values;
}

inline Sae TinySae(HookPoint hook, int d_model, uint64_t seed,
                   at::Device device = TestDevice()) {
  constexpr int kFeatures = 24;
  SaeConfig config;
  config.d_model = d_model;
  config.n_features = kFeatures;
  config.hook = hook;
  config.activation = SaeActivation::kRelu;
  config.scale = 2.5;
  for (int slot : {3, 0, 17}) {
    Concept concept_slot;
    concept_slot.name = absl::StrCat("concept_", slot);
    concept_slot.slot = slot;
    concept_slot.active_mean = 1.5 + 0.1 * slot;
    concept_slot.threshold = 0.2;
    config.concepts.push_back(concept_slot);
  }
  SaeWeights weights;
  weights.w_enc = UniformTensor({d_model, kFeatures}, 0.5, seed).to(device);
  weights.b_enc = UniformTensor({kFeatures}, 0.1, seed + 1).to(device);
  weights.w_dec = UniformTensor({kFeatures, d_model}, 0.5, seed + 2).to(device);
  weights.b_dec = UniformTensor({d_model}, 0.1, seed + 3).to(device);
  return Sae::FromWeights(config, weights).value();
}

inline Gpt2Weights TinyBundleWeights() {
  Gpt2Weights weights = InitGpt2Weights(TinyGpt2Config(), 7);
  for (auto& [name, tensor] : weights.Named()) {
    if (tensor->dim() == 2) tensor->mul_(12);
  }
  return weights;
}

// A checkpoint at each of `hooks` of `model`; without one, of the tiny GPT-2.
inline std::shared_ptr<const Bundle> TinyBundle(
    const std::vector<HookPoint>& hooks = {{HookKind::kResidPre, 2},
                                           {HookKind::kResidPost, 0}},
    std::unique_ptr<const Transformer> model = nullptr) {
  if (model == nullptr) {
    model = std::make_unique<const Gpt2>(
        TinyGpt2Config(), OnDevice(TinyBundleWeights(), TestDevice()));
  }
  const TransformerFacts config = model->facts();
  auto bundle = std::make_shared<Bundle>();
  bundle->model = std::move(model);
  auto catalog = std::make_shared<Catalog>();
  catalog->model.n_layer = config.n_layer;
  catalog->model.d_model = config.d_model;
  catalog->model.parallel_residual = config.parallel_residual;
  for (size_t i = 0; i < hooks.size(); ++i) {
    bundle->saes.push_back(TinySae(hooks[i], config.d_model, 100 + 10 * i));
    CheckpointInfo info;
    info.name = absl::StrCat("sae_", i);
    info.hook = hooks[i];
    info.concepts = bundle->saes.back().config().concepts;
    catalog->checkpoints.push_back(std::move(info));
  }
  bundle->catalog = std::move(catalog);
  return bundle;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_TINY_BUNDLE_H_
