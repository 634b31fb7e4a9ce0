// The balanced norm and matrix are the same function, and round well to int8.

#include "model/transformer/balance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/transformer/layers.h"
#include "model/transformer/linear.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

constexpr int64_t kInputs = 96;
constexpr int64_t kOutputs = 80;
constexpr double kEpsilon = 1e-5;

NormedMatrix Random() {
  return {.gain = UniformTensor({kInputs}, 0.2, 1).add_(1),
          .shift = UniformTensor({kInputs}, 0.3, 2),
          .weight = UniformTensor({kInputs, kOutputs}, 0.5, 3),
          .bias = UniformTensor({kOutputs}, 0.5, 4)};
}

at::Tensor Weights(const NormedMatrix& m) {
  return m.row_scale.defined() ? m.weight.mul(m.row_scale.unsqueeze(1))
                               : m.weight;
}

// In double precision.
at::Tensor Apply(const NormedMatrix& m, const at::Tensor& x) {
  const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
  at::Tensor y =
      at::mm(LayerNorm(wide(x), wide(m.gain), wide(m.shift), kEpsilon),
             wide(Weights(m)));
  if (m.bias.defined()) y += wide(m.bias);
  return y;
}

double Error(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kDouble) - b).norm() / b.norm()).item<double>();
}

// Two channels with the gain and weights of the others times these.
NormedMatrix WithStrongChannels(double gain, double weight) {
  NormedMatrix m = Random();
  for (int64_t channel : {5, 77}) {
    m.gain[channel] *= gain;
    m.shift[channel] *= gain;
    m.weight[channel] *= weight;
  }
  return m;
}

// Relative error of the int8 product.
double Int8Error(const NormedMatrix& m, const at::Tensor& x,
                 const at::Tensor& expected) {
  const Linear linear(m.weight, m.bias, WeightType::kInt8, m.row_scale);
  return Error(
      linear.Apply(FastLayerNorm(x, m.gain, m.shift, kEpsilon, at::kFloat)),
      expected);
}

TEST(BalanceTest, IsTheSameFunction) {
  const at::Tensor x = UniformTensor({7, kInputs}, 3, 9);
  for (const NormedMatrix& plain :
       {Random(), WithStrongChannels(50, 0.02), WithStrongChannels(20, 1),
        WithStrongChannels(-3, 1)}) {
    const NormedMatrix balanced = Balanced(plain);
    EXPECT_LT(Error(Apply(balanced, x), Apply(plain, x)), 1e-6);
    EXPECT_TRUE(at::equal(balanced.shift, at::zeros({kInputs})));
  }
  NormedMatrix head = Random();
  head.bias = at::Tensor();
  head.weight = head.weight.t().contiguous().t();  // As a tied head's.
  EXPECT_LT(Error(Apply(Balanced(head), x), Apply(head, x)), 1e-6);
}

TEST(BalanceTest, ChannelsWithoutGainOrWeightsStayWithoutEffect) {
  NormedMatrix plain = Random();
  plain.gain[3] = 0;
  plain.weight[8].zero_();
  plain.gain[9] = 0;
  plain.weight[9].zero_();
  const NormedMatrix balanced = Balanced(plain);
  const at::Tensor x = UniformTensor({7, kInputs}, 3, 9);
  EXPECT_LT(Error(Apply(balanced, x), Apply(plain, x)), 1e-6);
  for (int64_t channel : {3, 8, 9}) {
    EXPECT_EQ(balanced.gain[channel].item<float>(), 0);
    EXPECT_TRUE(at::equal(Weights(balanced)[channel], at::zeros({kOutputs})));
  }
}

TEST(BalanceTest, Int8StaysGoodWhereAFewChannelsAreStrong) {
  if (!WhyUnsupported(WeightType::kInt8, "cpu").empty()) GTEST_SKIP();
  const at::Tensor x = UniformTensor({40, kInputs}, 3, 9);
  at::Tensor strong_x = x.clone();
  for (int64_t channel : {5, 77}) strong_x.select(1, channel) *= 20;
  struct Case {
    const char* what;
    NormedMatrix plain;
    at::Tensor x;
    double bar;  // Of the relative error.
  };
  // All of them lie at 0.009 without strong channels.
  for (const Case& c :
       {Case{"nothing special", Random(), x, 0.012},
        Case{"gain times 50, weights over 50", WithStrongChannels(50, 0.02), x,
             0.012},
        Case{"gain times 20", WithStrongChannels(20, 1), x, 0.012},
        Case{"residual times 20, gain over 20", WithStrongChannels(0.05, 1),
             strong_x, 0.02}}) {
    const at::Tensor expected = Apply(c.plain, c.x);
    EXPECT_LT(Int8Error(Balanced(c.plain), c.x, expected), c.bar) << c.what;
  }
  // What it is for: unbalanced, next to nothing is left.
  const NormedMatrix worst = WithStrongChannels(50, 0.02);
  EXPECT_GT(Int8Error(worst, x, Apply(worst, x)), 0.06);
}

TEST(BalanceTest, ModelWithRescaledChannelsSaysTheSameInInt8) {
  if (!WhyUnsupported(WeightType::kInt8, "cpu").empty()) GTEST_SKIP();
  const Gpt2Config config = TinyGpt2Config();
  const auto logits = [&](double gain, WeightType type) {
    Gpt2Weights weights = TinyBundleWeights();
    for (Gpt2Block& block : weights.blocks) {
      for (int64_t channel : {5, 17}) {
        block.ln_1_weight[channel] *= gain;
        block.ln_1_bias[channel] *= gain;
        block.c_attn_weight[channel] /= gain;
        block.ln_2_weight[channel] *= gain;
        block.ln_2_bias[channel] *= gain;
        block.c_fc_weight[channel] /= gain;
      }
    }
    const Gpt2 model(config, weights, type);
    KvCache cache(config.facts(), 1, at::kCPU, model.kv_type());
    const std::vector<int32_t> tokens = {1, 9, 44, 96, 3, 3, 20};
    return model.Forward(
        tokens, {{.length = 7, .exit_site = config.n_layer, .logits = 1}},
        cache, nullptr);
  };
  const at::Tensor f32 = logits(1, WeightType::kF32).to(at::kDouble);
  const double plain = Error(logits(1, WeightType::kInt8), f32);
  const double rescaled = Error(logits(64, WeightType::kInt8), f32);
  EXPECT_LT(plain, 0.1);
  EXPECT_LT(rescaled, 1.5 * plain);
}

}  // namespace
}  // namespace alignsae
