#include "model/transformer/layers.h"

#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "model/gpt2/block.h"
#include "model/gpt2/gpt2.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

const Gpt2Config kLayerConfig = {.n_layer = 2,
                                 .n_head = 2,
                                 .d_model = 6,
                                 .d_inner = 10,
                                 .context_length = 8,
                                 .vocab_size = 11};

// Uniform in [-1, 1), in double precision for the difference quotients.
at::Tensor Random(std::vector<int64_t> shape, uint64_t seed) {
  at::Tensor values = at::empty(shape, at::kDouble);
  CounterRng rng(seed);
  for (int64_t i = 0; i < values.numel(); ++i) {
    values.data_ptr<double>()[i] = 2 * rng.NextUniform() - 1;
  }
  return values;
}

// Compares autograd's gradient of sum(weights * fn(inputs)) with difference
// quotients, in double precision.
void ExpectDifferentiable(
    std::vector<at::Tensor> inputs,
    const std::function<at::Tensor(const std::vector<at::Tensor>&)>& fn) {
  for (at::Tensor& input : inputs) input.requires_grad_(true);
  const at::Tensor output = fn(inputs);
  const at::Tensor weights = Random(output.sizes().vec(), 77);
  (output * weights).sum().backward();
  at::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (size_t n = 0; n < inputs.size(); ++n) {
    ASSERT_TRUE(inputs[n].grad().defined()) << "input " << n;
    const at::Tensor gradient = inputs[n].grad().contiguous();
    double* values = inputs[n].data_ptr<double>();
    for (int64_t i = 0; i < inputs[n].numel(); ++i) {
      const double value = values[i];
      values[i] = value + kStep;
      const double above = (fn(inputs) * weights).sum().item<double>();
      values[i] = value - kStep;
      const double below = (fn(inputs) * weights).sum().item<double>();
      values[i] = value;
      EXPECT_NEAR(gradient.data_ptr<double>()[i], (above - below) / (2 * kStep),
                  1e-6)
          << "input " << n << ", value " << i;
    }
  }
}

Gpt2Block BlockOf(const std::vector<at::Tensor>& tensors) {
  Gpt2Block block;
  block.ln_2_weight = tensors[1];
  block.ln_2_bias = tensors[2];
  block.c_fc_weight = tensors[3];
  block.c_fc_bias = tensors[4];
  block.mlp_proj_weight = tensors[5];
  block.mlp_proj_bias = tensors[6];
  return block;
}

TEST(LayersTest, MlpIsDifferentiableWithEveryActivation) {
  for (const Activation activation : kAllActivations) {
    Gpt2Config config = kLayerConfig;
    config.activation = activation;
    ExpectDifferentiable(
        {Random({3, 6}, 1), Random({6}, 2), Random({6}, 3), Random({6, 10}, 4),
         Random({10}, 5), Random({10, 6}, 6), Random({6}, 7)},
        [&](const std::vector<at::Tensor>& inputs) {
          return Mlp(inputs[0], BlockOf(inputs), config);
        });
  }
}

TEST(LayersTest, ActivationsAndTheirDerivativesAreFiniteFarOut) {
  for (const Activation activation : kAllActivations) {
    const bool tanh = activation == Activation::kTanh;
    at::Tensor x = at::tensor({-1e4f, -100.0f, 0.0f, 100.0f, 1e4f});
    x.requires_grad_(true);
    const at::Tensor y = Activate(x, activation);
    y.sum().backward();
    at::NoGradGuard no_grad;
    const at::Tensor limits =
        tanh ? at::tensor({-1.0f, -1.0f, 0.0f, 1.0f, 1.0f})
             : at::tensor({0.0f, 0.0f, 0.0f, 100.0f, 1e4f});
    EXPECT_TRUE(at::allclose(y, limits)) << y;
    EXPECT_TRUE(at::isfinite(x.grad()).all().item<bool>()) << x.grad();
  }
}

TEST(LayersTest, ActivationGivesTheSameBitsAtEveryPlace) {
  for (const Activation activation : kAllActivations) {
    // 37 numbers: whole vectors and what is left over behind them.
    const at::Tensor x = at::full({37}, 0.73f);
    const at::Tensor y = Activate(x, activation);
    EXPECT_TRUE(at::equal(y, y[0].expand({37})))
        << static_cast<int>(activation);
  }
}

TEST(LayersTest, AttentionIsDifferentiableUnderAMask) {
  const at::Tensor mask =
      at::full({3, 3}, -std::numeric_limits<double>::infinity(), at::kDouble)
          .triu(1)
          .view({1, 1, 3, 3});
  ExpectDifferentiable({Random({2, 2, 3, 4}, 1), Random({2, 2, 3, 4}, 2),
                        Random({2, 2, 3, 4}, 3)},
                       [&](const std::vector<at::Tensor>& inputs) {
                         return Attention(inputs[0], inputs[1], inputs[2], mask,
                                          0.7);
                       });
}

TEST(LayersTest, MaskedKeyHasNoInfluence) {
  const at::Tensor q = Random({1, 2, 3, 4}, 1), k = Random({1, 2, 5, 4}, 2),
                   v = Random({1, 2, 5, 4}, 3);
  at::Tensor mask = at::zeros({1, 1, 3, 5}, at::kDouble);
  mask.narrow(3, 3, 2).fill_(-std::numeric_limits<double>::infinity());
  const at::Tensor masked = Attention(q, k, v, mask, 0.5);
  const at::Tensor shorter =
      Attention(q, k.narrow(2, 0, 3), v.narrow(2, 0, 3), at::Tensor(), 0.5);
  EXPECT_TRUE(at::allclose(masked, shorter, 1e-12, 1e-12));
}

TEST(LayersTest, AttentionOfOneKeyIsItsValue) {
  const at::Tensor v = Random({2, 3, 1, 4}, 3);
  EXPECT_TRUE(
      at::allclose(Attention(Random({2, 3, 1, 4}, 1), Random({2, 3, 1, 4}, 2),
                             v, at::Tensor(), 0.5),
                   v));
}

TEST(LayersTest, LayerNormTakesTheLastDimensionOfAnyShape) {
  const at::Tensor x = Random({2, 3, 6}, 1), weight = Random({6}, 2),
                   bias = Random({6}, 3);
  const at::Tensor packed = LayerNorm(x.view({6, 6}), weight, bias, 1e-5);
  EXPECT_TRUE(
      at::equal(LayerNorm(x, weight, bias, 1e-5), packed.view({2, 3, 6})));
  const at::Tensor plain =
      LayerNorm(x, at::ones({6}, at::kDouble), at::zeros({6}, at::kDouble), 0);
  EXPECT_TRUE(at::allclose(plain.mean(-1), at::zeros({2, 3}, at::kDouble)));
  EXPECT_TRUE(at::allclose(plain.pow(2).mean(-1), at::ones({2, 3}, at::kDouble),
                           1e-9, 1e-9));
}

TEST(LayersTest, Conv1DMultipliesByRowsOfInputs) {
  const at::Tensor x = at::tensor({1.0, 2.0}).view({1, 2});
  const at::Tensor weight =
      at::tensor({1.0, 10.0, 100.0, 2.0, 20.0, 200.0}).view({2, 3});
  const at::Tensor y = Conv1D(x, weight, at::tensor({0.5, 0.0, 0.0}));
  EXPECT_THAT(y.sizes(), ElementsAre(1, 3));
  EXPECT_TRUE(at::allclose(y, at::tensor({5.5, 50.0, 500.0}).view({1, 3})));
}

TEST(LayersTest, AttentionScaleFollowsBothSwitches) {
  Gpt2Config config = kLayerConfig;  // Heads of 3.
  EXPECT_DOUBLE_EQ(AttentionScale(config, 1), 1 / std::sqrt(3.0));
  config.scale_attn_by_inverse_layer_idx = true;
  EXPECT_DOUBLE_EQ(AttentionScale(config, 0), 1 / std::sqrt(3.0));
  EXPECT_DOUBLE_EQ(AttentionScale(config, 1), 1 / std::sqrt(3.0) / 2);
  config.scale_attn_weights = false;
  EXPECT_DOUBLE_EQ(AttentionScale(config, 3), 0.25);
}

}  // namespace
}  // namespace alignsae
