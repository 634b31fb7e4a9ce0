// What a slot writes, against plain loops in double precision.

#include "model/engine/slot_explainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "tests/support/random_sae.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

constexpr int kSlot = 17;

// Logits [V] of `v` through the head of `weights`; `norm`: as ln_f's centring
// and gain make it.
std::vector<double> Logits(const Gpt2Weights& weights, std::vector<double> v,
                           bool norm) {
  const std::vector<double> gain = RowOf(weights.ln_f_weight.unsqueeze(0), 0);
  if (norm) {
    const double mean = std::accumulate(v.begin(), v.end(), 0.0) / v.size();
    for (size_t i = 0; i < v.size(); ++i) v[i] = (v[i] - mean) * gain[i];
  }
  std::vector<double> logits;
  for (int64_t token = 0; token < weights.lm_head.size(0); ++token) {
    const std::vector<double> row = RowOf(weights.lm_head, token);
    logits.push_back(std::inner_product(v.begin(), v.end(), row.begin(), 0.0));
  }
  return logits;
}

// Each token's logit is `expected` of it, and they are the first of its order.
void ExpectEnd(const std::vector<TokenEffect>& end,
               const std::vector<double>& expected, bool largest,
               double tolerance) {
  std::vector<double> sorted = expected;
  std::sort(sorted.begin(), sorted.end());
  if (largest) std::reverse(sorted.begin(), sorted.end());
  for (size_t i = 0; i < end.size(); ++i) {
    EXPECT_NEAR(end[i].logit, expected[end[i].token], tolerance);
    EXPECT_NEAR(end[i].logit, sorted[i], tolerance);
  }
}

void ExpectEffect(const DirectEffect& effect,
                  const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(effect.top.size(), 5u);
  ASSERT_EQ(effect.bottom.size(), 5u);
  ExpectEnd(effect.top, expected, true, tolerance);
  ExpectEnd(effect.bottom, expected, false, tolerance);
}

class SlotExplainerTest : public ::testing::Test {
 protected:
  explicit SlotExplainerTest(bool tied = true) {
    config_.tie_word_embeddings = tied;
    weights_ = TinyBundleWeights();
    weights_.ln_f_weight = UniformTensor({32}, 2, 5).add_(0.5);
    weights_.ln_f_bias = UniformTensor({32}, 1, 6);
    if (!tied) weights_.lm_head = UniformTensor({97, 32}, 0.4, 7);
    const std::vector<double> row = RowOf(sae_.weights().w_dec, kSlot);
    for (double d : row) v_.push_back(d * sae_.config().scale);
  }

  // `tolerance`: of the largest logit.
  void ExpectExplained(WeightType type, double tolerance) {
    const Gpt2 model(config_, weights_, type);
    ASSERT_OK_AND_ASSIGN(const SlotExplanation found,
                         ExplainSlotOf(model, sae_, kSlot, 5));
    double norm = 0;
    for (double value : v_) norm += value * value;
    EXPECT_NEAR(found.direction_norm, std::sqrt(norm), 1e-5);
    for (const bool through : {false, true}) {
      SCOPED_TRACE(through);
      const std::vector<double> expected = Logits(weights_, v_, through);
      double largest = 0;
      for (double logit : expected) {
        largest = std::max(largest, std::abs(logit));
      }
      ASSERT_TRUE(found.without_ln_f.has_value());
      ExpectEffect(through ? found.with_ln_f : *found.without_ln_f, expected,
                   tolerance * largest);
    }
  }

  Gpt2Config config_ = TinyGpt2Config();
  Gpt2Weights weights_;
  const Sae sae_ = TinySae({HookKind::kResidPost, 1}, 32, 9, at::kCPU);
  std::vector<double> v_;
};

class UntiedSlotExplainerTest : public SlotExplainerTest {
 protected:
  UntiedSlotExplainerTest() : SlotExplainerTest(/*tied=*/false) {}
};

TEST_F(SlotExplainerTest, IsExactInFloat32) {
  ExpectExplained(WeightType::kF32, 1e-5);
}

TEST_F(SlotExplainerTest, IsRoundedAsTheWeightsAre) {
  ExpectExplained(WeightType::kInt8, 0.03);
}

TEST_F(UntiedSlotExplainerTest, IsExactInFloat32) {
  ExpectExplained(WeightType::kF32, 1e-5);
}

TEST_F(UntiedSlotExplainerTest, IsRoundedAsTheWeightsAre) {
  ExpectExplained(WeightType::kInt8, 0.05);
}

TEST_F(SlotExplainerTest, WhatWritesNothingBehindTheNormAddsNothing) {
  SaeWeights weights = sae_.weights();
  weights.w_dec = weights.w_dec.clone();
  weights.w_dec[kSlot].fill_(0.5);  // The norm takes the mean away.
  ASSERT_OK_AND_ASSIGN(const Sae constant,
                       Sae::FromWeights(sae_.config(), weights));
  ASSERT_OK_AND_ASSIGN(
      const SlotExplanation found,
      ExplainSlotOf(Gpt2(config_, weights_), constant, kSlot, 200));
  ASSERT_EQ(found.with_ln_f.top.size(), 97u);
  EXPECT_EQ(found.with_ln_f.top[0].logit, 0);
  EXPECT_GT(std::abs(found.without_ln_f->top[0].logit), 0.1);
}

TEST_F(SlotExplainerTest, ASlotThatIsNotLoadedIsRefused) {
  const absl::Status refused =
      ExplainSlotOf(Gpt2(config_, weights_), sae_, 24, 5).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace alignsae
