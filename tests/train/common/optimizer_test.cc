// AdamW and the learning-rate schedule against scalar references.

#include "model/train/common/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "model/base/counter_rng.h"

namespace alignsae {
namespace {

// Decoupled weight decay, bias-corrected moments; double precision.
struct ScalarAdamW {
  double value, m = 0, v = 0;
  int steps = 0;

  void Step(double grad, double lr, const AdamWOptions& o, bool decay) {
    ++steps;
    if (decay) value -= lr * o.weight_decay * value;
    m = o.beta1 * m + (1 - o.beta1) * grad;
    v = o.beta2 * v + (1 - o.beta2) * grad * grad;
    const double m_hat = m / (1 - std::pow(o.beta1, steps));
    const double v_hat = v / (1 - std::pow(o.beta2, steps));
    value -= lr * m_hat / (std::sqrt(v_hat) + o.epsilon);
  }
};

at::Tensor Trained(std::vector<double> values) {
  return at::tensor(values, at::kDouble).set_requires_grad(true);
}

TEST(AdamWTest, EqualsTheScalarReferenceOverManySteps) {
  const AdamWOptions options{.beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.3};
  at::Tensor w = Trained({0.5, -1.5, 2});
  at::Tensor b = Trained({0.25, -0.75});
  AdamW adam({{"w", w, true}, {"b", b, false}}, options);
  std::vector<ScalarAdamW> want = {{0.5}, {-1.5}, {2}, {0.25}, {-0.75}};
  CounterRng rng(1);
  for (int step = 0; step < 50; ++step) {
    std::vector<double> grads;
    for (int i = 0; i < 5; ++i) grads.push_back(2 * rng.NextUniform() - 1);
    w.mutable_grad() = at::tensor({grads[0], grads[1], grads[2]}, at::kDouble);
    b.mutable_grad() = at::tensor({grads[3], grads[4]}, at::kDouble);
    const double lr = 0.1 / (1 + step);
    adam.Step(lr);
    for (int i = 0; i < 5; ++i) want[i].Step(grads[i], lr, options, i < 3);
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(w[i].item<double>(), want[i].value, 1e-12);
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(b[i].item<double>(), want[i + 3].value, 1e-12);
  }
}

TEST(AdamWTest, ClearsGradientsAndLeavesParametersWithoutOneAlone) {
  at::Tensor w = Trained({1});
  at::Tensor unused = Trained({1});
  AdamW adam({{"w", w, true}, {"unused", unused, true}}, {.weight_decay = 0.5});
  (w * 3).sum().backward();
  adam.Step(0.1);
  EXPECT_FALSE(w.grad().defined());
  EXPECT_NE(w.item<double>(), 1);
  EXPECT_EQ(unused.item<double>(), 1);
}

TEST(AdamWTest, ClipsTheCommonNormAndReturnsTheNormBefore) {
  at::Tensor a = Trained({0});
  at::Tensor b = Trained({0});
  AdamW adam({{"a", a, false}, {"b", b, false}}, {});
  a.mutable_grad() = at::tensor({3.0}, at::kDouble);
  b.mutable_grad() = at::tensor({-4.0}, at::kDouble);
  EXPECT_DOUBLE_EQ(adam.ClipGradNorm(10), 5);
  EXPECT_DOUBLE_EQ(a.grad().item<double>(), 3);
  EXPECT_DOUBLE_EQ(adam.ClipGradNorm(0), 5);
  EXPECT_DOUBLE_EQ(a.grad().item<double>(), 3);
  EXPECT_DOUBLE_EQ(adam.ClipGradNorm(1), 5);
  EXPECT_DOUBLE_EQ(a.grad().item<double>(), 0.6);
  EXPECT_DOUBLE_EQ(b.grad().item<double>(), -0.8);
}

TEST(AdamWTest, StateNamesBothMomentsAndSharesTheirStorage) {
  at::Tensor w = Trained({1, 2});
  AdamW adam({{"w", w, false}}, {});
  auto state = adam.State();
  ASSERT_EQ(state.size(), 2u);
  EXPECT_EQ(state[0].first, "adam.m.w");
  EXPECT_EQ(state[1].first, "adam.v.w");
  state[0].second.fill_(1);  // A moment from a checkpoint moves the weight.
  w.mutable_grad() = at::zeros({2}, at::kDouble);
  adam.Step(0.1);
  EXPECT_LT(w[0].item<double>(), 1);
}

TEST(LearningRateTest, WarmsUpLinearlyThenFollowsACosineToTheFloor) {
  const LearningRateSchedule schedule{.peak = 2e-3,
                                      .warmup_steps = 10,
                                      .total_steps = 1000,
                                      .floor_ratio = 0.05};
  EXPECT_NEAR(LearningRate(schedule, 0), 2e-4, 1e-9);
  EXPECT_NEAR(LearningRate(schedule, 4), 1e-3, 1e-6);
  EXPECT_NEAR(LearningRate(schedule, 500), 2e-3 * (0.05 + 0.95 * 0.5), 1e-12);
  EXPECT_NEAR(LearningRate(schedule, 1000), 1e-4, 1e-12);
  EXPECT_NEAR(LearningRate(schedule, 5000), 1e-4, 1e-12);
}

TEST(LearningRateTest, WithoutWarmupStartsAtThePeak) {
  EXPECT_DOUBLE_EQ(LearningRate({.peak = 0.5, .total_steps = 10}, 0), 0.5);
}

}  // namespace
}  // namespace alignsae
