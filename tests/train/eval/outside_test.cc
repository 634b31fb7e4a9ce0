// The second gate on clouds of points whose answer is known.

#include "model/train/eval/outside.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr int kWidth = 12;
constexpr int kRows = 400;

// Two concepts around 4 on the first or the second axis; negatives around 4 on
// the third. `far` moves what asks a concept along the last axis.
AskedResiduals Cloud(int seed, double far = 0) {
  at::manual_seed(seed);
  AskedResiduals cloud;
  cloud.h = at::randn({kRows, kWidth}) * 0.5;
  cloud.has_concept = at::zeros({kRows, 2}, at::TensorOptions(at::kBool));
  for (int i = 0; i < kRows; ++i) {
    cloud.h[i][i % 2] += 4;
    cloud.h[i][kWidth - 1] += far;
    cloud.has_concept[i][i % 2] = true;
  }
  return cloud;
}
at::Tensor Negatives(int seed) {
  at::manual_seed(seed);
  at::Tensor h = at::randn({kRows, kWidth}) * 0.5;
  h.select(1, 2) += 4;
  return h;
}

// Concept r reads number r of the residual and is bound from `threshold` on.
Sae PlainSae(double threshold) {
  SaeConfig config;
  config.d_model = kWidth;
  config.n_features = 2;
  config.hook = {HookKind::kResidPost, 0};
  for (int r = 0; r < 2; ++r) {
    Concept& entry = config.concepts.emplace_back();
    entry.name = r == 0 ? "a" : "b";
    entry.slot = r;
    entry.active_mean = 4;
    entry.threshold = threshold;
  }
  SaeWeights weights;
  weights.w_enc = at::eye(kWidth).narrow(1, 0, 2);
  weights.w_dec = at::eye(kWidth).narrow(0, 0, 2);
  weights.b_enc = at::zeros({2});
  weights.b_dec = at::zeros({kWidth});
  return Sae::FromWeights(config, weights).value();
}

AskedResiduals WithNegatives(AskedResiduals asked, const at::Tensor& none) {
  asked.h = at::cat({asked.h, none});
  asked.has_concept =
      at::cat({asked.has_concept,
               at::zeros({none.size(0), 2}, at::TensorOptions(at::kBool))});
  return asked;
}

TEST(OutsideTest, TheLimitLeavesAFewOfTheValidationPromptsOutside) {
  const AskedResiduals validation = Cloud(2);
  ASSERT_OK_AND_ASSIGN(const OutsideGate gate,
                       FitGate(Cloud(1), Negatives(3), validation));
  const double outside =
      gate.Ratio(validation.h).gt(1).sum().item<double>() / kRows;
  EXPECT_NEAR(outside, kSilentInValidation, 1.0 / kRows);
  EXPECT_GT(gate.Ratio(Negatives(4)).min().item<double>(), 1.5);
}

TEST(OutsideTest, FiguresCountWhatBothGatesSay) {
  Sae sae = PlainSae(/*threshold=*/-10);  // Nearly all is bound.
  const AskedResiduals test = WithNegatives(Cloud(5), Negatives(6));
  nlohmann::ordered_json figures = MeasureGate(sae, test);
  const double bound_none = figures["abstention"]["rate"].get<double>();
  EXPECT_EQ(figures["abstention"]["n"], kRows);
  EXPECT_LT(bound_none, 0.5);
  EXPECT_EQ(figures["silent_right"]["rate"], 0);
  ASSERT_OK_AND_ASSIGN(OutsideGate gate,
                       FitGate(Cloud(1), Negatives(3), Cloud(2)));
  sae.set_gate(gate);
  figures = MeasureGate(sae, test);
  EXPECT_EQ(figures["abstention"]["rate"], 1);
  EXPECT_LT(figures["silent_right"]["rate"].get<double>(),
            kSilentInValidation + 0.02);
  EXPECT_EQ(figures["bound_wrong"]["n"], kRows);
  EXPECT_LT(figures["bound_wrong"]["rate"].get<double>(), 0.01);
  EXPECT_GT(figures["abstention"]["low"].get<double>(), 0.98);
  // Nothing is bound: everything is silent.
  figures = MeasureGate(PlainSae(/*threshold=*/100), test);
  EXPECT_EQ(figures["abstention"]["rate"], 1);
  EXPECT_EQ(figures["silent_right"]["rate"], 1);
  EXPECT_EQ(figures["bound_wrong"]["rate"], 0);
  // Without negatives there is no share of them.
  EXPECT_FALSE(MeasureGate(sae, Cloud(5)).contains("abstention"));
}

TEST(OutsideTest, TooLittleToFitIsRefused) {
  EXPECT_THAT(FitGate(Cloud(1), Negatives(3).narrow(0, 0, 19), Cloud(2)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "negatives: must be at least 20, got 19"));
  AskedResiduals one = Cloud(1);
  one.has_concept.select(1, 1).fill_(false);
  EXPECT_THAT(FitGate(one, Negatives(3), Cloud(2)).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("got none of concept 1")));
  AskedResiduals silent = Cloud(2);
  silent.has_concept.fill_(false);
  EXPECT_THAT(FitGate(Cloud(1), Negatives(3), silent).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("validation: must have a prompt")));
}

}  // namespace
}  // namespace alignsae
