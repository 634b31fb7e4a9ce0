// The training pass against the serving pass (which golden files hold to
// transformers), and the loss against a scalar sum.

#include "model/train/lm/forward.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/gpt2/gpt2.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

Gpt2Config Shape() {
  Gpt2Config config;
  config.n_layer = 3;
  config.n_head = 2;
  config.d_model = 12;
  config.d_inner = 20;
  config.context_length = 24;
  config.vocab_size = 31;
  return config;
}

LmExample Example(int length, int first_label, uint64_t seed) {
  return {.tokens = RandomTokens(Shape(), length, seed),
          .first_label = first_label};
}

// Negative log-likelihood of token `t` of an example under the serving pass on
// what comes before it.
double ServedNll(const Gpt2& model, const LmExample& example, int t) {
  KvCache cache(model.config().facts(), 1, at::kCPU);
  PackedRow row;
  row.length = t;
  row.exit_site = model.config().n_layer;
  row.logits = 1;
  const at::Tensor logits =
      model
          .Forward(absl::MakeSpan(example.tokens).subspan(0, t), {row}, cache,
                   nullptr)
          .to(at::kDouble);  // [1, V]
  double sum = 0;
  for (int v = 0; v < model.config().vocab_size; ++v) {
    sum += std::exp(logits[0][v].item<double>());
  }
  return std::log(sum) - logits[0][example.tokens[t]].item<double>();
}

TEST(LmForwardTest, LossIsTheMeanOverLabelledPositionsOfAllExamples) {
  const Gpt2 model = TinyModel(Shape());
  const std::vector<LmExample> examples = {Example(14, 1, 1), Example(9, 6, 2),
                                           Example(3, 2, 3)};
  std::vector<const LmExample*> batch;
  double sum = 0;
  int labels = 0;
  for (const LmExample& example : examples) {
    batch.push_back(&example);
    const int length = static_cast<int>(example.tokens.size());
    for (int t = example.first_label; t < length; ++t, ++labels) {
      sum += ServedNll(model, example, t);
    }
  }
  const double loss =
      LmLoss(model.config(), WideWeights(Shape(), 1), Collate(batch, at::kCPU))
          .item<double>();
  EXPECT_EQ(labels, 13 + 3 + 1);
  EXPECT_NEAR(loss, sum / labels, 1e-5);
}

TEST(LmForwardTest, PromptTokensAndPaddingGiveNoGradientThroughTheirLabels) {
  Gpt2Weights weights = WideWeights(Shape(), 1);
  weights.wpe.set_requires_grad(true);
  const LmExample shorter = Example(5, 4, 4);
  const LmExample longer = Example(12, 11, 5);
  const std::vector<const LmExample*> batch = {&shorter, &longer};
  LmLoss(Shape(), weights, Collate(batch, at::kCPU)).backward();
  const at::Tensor touched = weights.wpe.grad().abs().sum(1);  // [T]
  for (int t = 0; t < 11; ++t) EXPECT_GT(touched[t].item<float>(), 0) << t;
  for (int t = 11; t < 24; ++t) EXPECT_EQ(touched[t].item<float>(), 0) << t;
}

TEST(LmForwardTest, GradientsEqualCentralDifferences) {
  const Gpt2Config config = Shape();
  Gpt2Weights weights = WideWeights(config, 7);
  for (auto& [name, tensor] : weights.Named()) {
    *tensor = tensor->to(at::kDouble).set_requires_grad(true);
  }
  weights.lm_head = weights.wte;
  const LmExample a = Example(10, 1, 8);
  const LmExample b = Example(7, 4, 9);
  const std::vector<const LmExample*> examples = {&a, &b};
  const LmBatch batch = Collate(examples, at::kCPU);
  LmLoss(config, weights, batch).backward();
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : weights.Named()) {
    const at::Tensor flat = tensor->view({-1});
    const int64_t i = tensor->numel() / 3;
    const double before = flat[i].item<double>();
    constexpr double kStep = 1e-5;
    flat[i] = before + kStep;
    const double up = LmLoss(config, weights, batch).item<double>();
    flat[i] = before - kStep;
    const double down = LmLoss(config, weights, batch).item<double>();
    flat[i] = before;
    EXPECT_NEAR(tensor->grad().view({-1})[i].item<double>(),
                (up - down) / (2 * kStep), 1e-7)
        << name;
  }
}

}  // namespace
}  // namespace alignsae
