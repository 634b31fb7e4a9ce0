#include "model/train/sae/model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "model/sae/sae.h"

namespace alignsae {
namespace {

at::Tensor RandomRows(int64_t rows, int64_t columns, uint64_t seed) {
  return at::randn({rows, columns}, at::detail::createCPUGenerator(seed));
}

SaeShape ShapeWith(SaeActivation activation) {
  return {.d_model = 12,
          .concepts = 3,
          .free_features = 20,
          .activation = activation,
          .k = activation == SaeActivation::kTopK ? 4 : 0};
}

// The served SAE with the trained weights; scale 1, concepts in front.
Sae Served(const TrainableSae& trained) {
  SaeConfig config;
  config.d_model = trained.shape().d_model;
  config.n_features = trained.shape().features();
  config.activation = trained.shape().activation;
  config.k = trained.shape().k;
  for (int r = 0; r < trained.shape().concepts; ++r) {
    Concept entry;
    entry.name = "concept_" + std::to_string(r);
    entry.slot = r;
    config.concepts.push_back(entry);
  }
  return Sae::FromWeights(config, trained.Export()).value();
}

TEST(TrainableSaeTest, TheDecoderStartsAsTheEncodersTransposeOfUnitRows) {
  const at::Tensor mean = RandomRows(1, 12, 1)[0];
  const TrainableSae sae(ShapeWith(SaeActivation::kRelu), mean, 5);
  const SaeWeights weights = sae.Export();
  EXPECT_TRUE(at::equal(weights.w_enc, weights.w_dec.t()));
  EXPECT_TRUE(at::allclose(weights.w_dec.norm(2, {1}), at::ones({23})));
  EXPECT_TRUE(at::equal(weights.b_dec, mean));
  EXPECT_EQ(weights.b_enc.abs().sum().item<float>(), 0);
}

TEST(TrainableSaeTest, LinearStartsAsTorchsLinear) {
  SaeShape shape = ShapeWith(SaeActivation::kRelu);
  shape.free_features = 397;  // F = 400.
  const TrainableSae sae(shape, at::full({12}, 5.0), 5, SaeInit::kLinear);
  const SaeWeights weights = sae.Export();
  EXPECT_TRUE(at::equal(weights.w_enc, weights.w_dec.t()));
  // Uniform within a bound: its largest is near it, its variance a third of
  // its square.
  const auto expect_uniform = [](const at::Tensor& values, double bound) {
    EXPECT_LE(values.abs().max().item<double>(), bound);
    EXPECT_GT(values.abs().max().item<double>(), 0.5 * bound);
    EXPECT_LT(values.min().item<double>(), 0);
  };
  expect_uniform(weights.w_enc, 1 / std::sqrt(12.0));
  expect_uniform(weights.b_enc, 1 / std::sqrt(12.0));
  expect_uniform(weights.b_dec, 1 / std::sqrt(400.0));
  EXPECT_NEAR(weights.w_enc.square().mean().item<double>(), 1.0 / 36, 2e-3);
}

// Scalar reference of the slot at each class mean and at the centre.
TEST(TrainableSaeTest, AtClassMeansASlotReadsAndWritesWhatItsClassAdds) {
  const at::Tensor means = RandomRows(3, 12, 4);
  TrainableSae sae(ShapeWith(SaeActivation::kRelu), at::zeros({12}), 5);
  const SaeWeights before = sae.Export();
  sae.StartAtClassMeans(means);
  const SaeWeights after = sae.Export();
  for (int r = 0; r < 3; ++r) {
    double at_mean = after.b_enc[r].item<double>(), at_centre = at_mean;
    for (int d = 0; d < 12; ++d) {
      double centre = 0;
      for (int j = 0; j < 3; ++j) centre += means[j][d].item<double>() / 3;
      const double mean = means[r][d].item<double>();
      EXPECT_NEAR(after.w_dec[r][d].item<double>(), mean - centre, 1e-6);
      at_mean += mean * after.w_enc[d][r].item<double>();
      at_centre += centre * after.w_enc[d][r].item<double>();
    }
    EXPECT_NEAR(at_mean, 1, 1e-5);
    EXPECT_NEAR(at_centre, 0, 1e-5);
  }
  // Free features are left as they were.
  EXPECT_TRUE(
      at::equal(after.w_dec.narrow(0, 3, 20), before.w_dec.narrow(0, 3, 20)));
  EXPECT_TRUE(
      at::equal(after.w_enc.narrow(1, 3, 20), before.w_enc.narrow(1, 3, 20)));
  EXPECT_TRUE(at::equal(after.b_dec, before.b_dec));
}

TEST(TrainableSaeTest, AClassAtTheCentreKeepsItsRandomStart) {
  at::Tensor means = at::zeros({3, 12});
  means[0][0] = 1;
  means[1][0] = -1;
  TrainableSae sae(ShapeWith(SaeActivation::kRelu), at::zeros({12}), 5);
  const SaeWeights before = sae.Export();
  sae.StartAtClassMeans(means);
  const SaeWeights after = sae.Export();
  EXPECT_TRUE(at::equal(after.w_dec[2], before.w_dec[2]));
  EXPECT_FALSE(at::equal(after.w_dec[0], before.w_dec[0]));
}

TEST(TrainableSaeTest, TheSeedDecidesTheWeights) {
  const SaeShape shape = ShapeWith(SaeActivation::kRelu);
  const at::Tensor mean = at::zeros({12});
  const SaeWeights a = TrainableSae(shape, mean, 5).Export();
  const SaeWeights b = TrainableSae(shape, mean, 5).Export();
  const SaeWeights c = TrainableSae(shape, mean, 6).Export();
  EXPECT_TRUE(at::equal(a.w_enc, b.w_enc));
  EXPECT_FALSE(at::equal(a.w_enc, c.w_enc));
}

TEST(TrainableSaeTest, TrainsWhatIsServedWithEveryActivation) {
  const at::Tensor x = RandomRows(40, 12, 2);
  for (SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
        SaeActivation::kJumpRelu}) {
    const TrainableSae sae(ShapeWith(activation), RandomRows(1, 12, 3)[0], 7);
    const TrainableSae::Output out = sae.Forward(x);
    const Sae served = Served(sae);
    EXPECT_TRUE(at::allclose(out.z, served.Encode(x), 1e-5, 1e-6))
        << SaeActivationName(activation);
    EXPECT_TRUE(
        at::allclose(out.x_hat, served.Decode(served.Encode(x)), 1e-5, 1e-5))
        << SaeActivationName(activation);
  }
}

TEST(TrainableSaeTest, EveryParameterGetsAGradientWithEveryActivation) {
  const at::Tensor x = RandomRows(40, 12, 2);
  for (SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
        SaeActivation::kJumpRelu}) {
    const TrainableSae sae(ShapeWith(activation), at::zeros({12}), 7);
    (sae.Forward(x).x_hat - x).square().sum().backward();
    for (const TrainedTensor& parameter : sae.Parameters()) {
      ASSERT_TRUE(parameter.value.grad().defined()) << parameter.name;
      EXPECT_GT(parameter.value.grad().abs().sum().item<float>(), 0)
          << parameter.name << " " << SaeActivationName(activation);
    }
  }
}

TEST(JumpReluTest, TheGradientsAreTheStraightThroughEstimators) {
  // Bandwidth 0.4 around threshold 1: [0.8, 1.2].
  at::Tensor pre = at::tensor({0.5, 0.9, 1.1, 2.0}, at::kDouble)
                       .reshape({4, 1})
                       .requires_grad_(true);
  at::Tensor threshold = at::tensor({1.0}, at::kDouble).requires_grad_(true);
  const at::Tensor z = JumpRelu(pre, threshold, 0.4);
  EXPECT_TRUE(
      at::equal(z.detach(),
                at::tensor({0.0, 0.0, 1.1, 2.0}, at::kDouble).reshape({4, 1})));
  const at::Tensor upstream =
      at::tensor({1.0, 10.0, 100.0, 1000.0}, at::kDouble).reshape({4, 1});
  z.backward(upstream);
  EXPECT_TRUE(at::equal(
      pre.grad(),
      at::tensor({0.0, 0.0, 100.0, 1000.0}, at::kDouble).reshape({4, 1})));
  // -(1 / 0.4) * (10 + 100)
  EXPECT_NEAR(threshold.grad().item<double>(), -275, 1e-9);
}

TEST(CountActiveTest, TheGradientIsTheStraightThroughEstimator) {
  at::Tensor pre = at::tensor({0.5, 0.9, 1.1, 2.0, 1.5, 0.1}, at::kDouble)
                       .reshape({3, 2})
                       .requires_grad_(true);
  at::Tensor threshold =
      at::tensor({1.0, 1.0}, at::kDouble).requires_grad_(true);
  const at::Tensor counts = CountActive(pre, threshold, 0.4);
  EXPECT_TRUE(
      at::equal(counts.detach(), at::tensor({0.0, 2.0, 1.0}, at::kDouble)));
  counts.backward(at::tensor({1.0, 10.0, 100.0}, at::kDouble));
  EXPECT_FALSE(pre.grad().defined());
  // In [0.8, 1.2] are 1.1 of the first feature and 0.9 of the second:
  // -(1 / 0.4) * 10 and -(1 / 0.4) * 1.
  EXPECT_NEAR(threshold.grad()[0].item<double>(), -25, 1e-9);
  EXPECT_NEAR(threshold.grad()[1].item<double>(), -2.5, 1e-9);
}

// All rows together keep k each; a row may have more and another fewer.
TEST(TrainableSaeTest, OfABatchTheStrongestOfAllRowsAreKept) {
  SaeShape shape = ShapeWith(SaeActivation::kTopK);
  shape.of_batch = true;
  const TrainableSae sae(shape, at::zeros({12}), 7);
  const at::Tensor x = RandomRows(10, 12, 2);
  const TrainableSae::Output out = sae.Forward(x);
  std::vector<float> all;
  for (int n = 0; n < 10; ++n) {
    for (int k = 3; k < 23; ++k) {
      all.push_back(std::max(0.0F, out.pre[n][k].item<float>()));
    }
  }
  std::vector<float> sorted = all;
  std::sort(sorted.rbegin(), sorted.rend());
  const float smallest = sorted[4 * 10 - 1];
  ASSERT_GT(smallest, 0);
  ASSERT_NE(smallest, sorted[4 * 10]);
  size_t next = 0;
  for (int n = 0; n < 10; ++n) {
    for (int k = 3; k < 23; ++k) {
      const float value = all[next++];
      EXPECT_EQ(out.z[n][k].item<float>(), value >= smallest ? value : 0);
    }
  }
  EXPECT_EQ(sae.SmallestKept(out.pre), smallest);
  const at::Tensor threshold = sae.Export(0.5).threshold;
  EXPECT_EQ(threshold.narrow(0, 0, 3).sum().item<float>(), 0);
  EXPECT_TRUE(at::equal(threshold.narrow(0, 3, 20), at::full({20}, 0.5)));
}

}  // namespace
}  // namespace alignsae
