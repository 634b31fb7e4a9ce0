#include "model/engine/step_hook.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace alignsae {
namespace {

using ::testing::ElementsAre;

// An SAE whose concept r has the residual's number r as its pre-activation.
Sae PlainSae(SaeActivation activation, const std::vector<double>& thresholds) {
  SaeConfig config;
  const int count = static_cast<int>(thresholds.size());
  config.d_model = config.n_features = count;
  config.activation = activation;
  config.hook = {HookKind::kResidPre, 1};
  for (int r = 0; r < count; ++r) {
    Concept entry;
    entry.name = std::string(1, static_cast<char>('a' + r));
    entry.slot = r;
    entry.active_mean = 1;
    entry.threshold = thresholds[r];
    config.concepts.push_back(entry);
  }
  SaeWeights weights;
  weights.w_enc = weights.w_dec = at::eye(count);
  weights.b_enc = weights.b_dec = at::zeros({count});
  return Sae::FromWeights(config, weights).value();
}

// What is read where the residual is `residual`.
ConceptReading Read(const Sae& sae, const std::vector<float>& residual) {
  StepRow row;
  row.tokens = {1};
  row.prompt_length = 1;
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  row.observations = {{.checkpoint = 0, .positions = {0}}};
  std::vector<RowResult> results(1);
  StepHook hook({&sae, 1}, {&row, 1}, results);
  PackedRow packed;
  packed.length = 1;
  at::Tensor h = at::tensor(residual).unsqueeze(0);
  hook.OnResidual(sae.config().hook.site(), {&packed, 1}, h);
  return results[0].readings[0];
}

TEST(StepHookTest, TheTopConceptIsTheLargestAlsoWhenAllAreBelowZero) {
  for (const SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu}) {
    const Sae sae = PlainSae(activation, {0, 0, 0});
    EXPECT_EQ(Read(sae, {-3, -1, -2}).top, 1);
    EXPECT_EQ(Read(sae, {-1, -3, -2}).top, 0);
    EXPECT_EQ(Read(sae, {-3, -2, -1}).top, 2);
    EXPECT_EQ(Read(sae, {1, 3, 2}).top, 1);
    EXPECT_EQ(Read(sae, {2, 2, 1}).top, 0);  // Equal: the first.
  }
}

TEST(StepHookTest, ActsInAStepThatReadsOrEditsOnly) {
  const Sae sae = PlainSae(SaeActivation::kRelu, {0, 0});
  Intervention edit;
  edit.positions = {{1}, false};
  const auto acts = [&](int start, int length, bool reads, bool generated) {
    edit.positions.generated = generated;
    StepRow row;
    row.start = start;
    row.tokens.assign(length, 1);
    row.prompt_length = 3;
    row.interventions =
        std::make_shared<const std::vector<Intervention>>(1, edit);
    if (reads) row.observations = {{.checkpoint = 0, .positions = {start}}};
    std::vector<RowResult> results(1);
    PackedRow packed;
    packed.start = start;
    packed.length = length;
    return StepHook({&sae, 1}, {&row, 1}, results).ActsIn({&packed, 1});
  };
  EXPECT_TRUE(acts(0, 3, false, false));
  EXPECT_FALSE(acts(2, 1, false, false));
  EXPECT_TRUE(acts(2, 1, true, false));
  EXPECT_FALSE(acts(3, 1, false, false));
  EXPECT_TRUE(acts(3, 1, false, true));
}

TEST(StepHookTest, AConditionIsReadBeforeAnyEditOfItsPlace) {
  const Sae sae = PlainSae(SaeActivation::kIdentity, {0.5, 0.5});
  Intervention first;  // Makes slot 1 the top one at every position.
  first.mode = InterventionMode::kAdd;
  first.target_slot = 1;
  first.alpha = 10;
  first.positions = {{0, 1, 2}, false};
  Intervention second = first;
  second.alpha = 100;
  second.when = ReadingCondition{.checkpoint = 0, .column = 1, .bound = true};
  Intervention third = first;
  third.target_slot = 0;
  third.when = ReadingCondition{.checkpoint = 0, .column = 0, .above = 2};
  StepRow row;
  row.tokens = {1, 1, 1};
  row.prompt_length = 3;
  row.interventions = std::make_shared<const std::vector<Intervention>>(
      std::vector<Intervention>{first, second, third});
  std::vector<RowResult> results(1);
  StepHook hook({&sae, 1}, {&row, 1}, results);
  PackedRow packed;
  packed.length = 3;
  // On top and bound is 0, then 1; then 1, below its threshold.
  at::Tensor h = at::tensor({3.0f, 1.0f, 2.0f, 4.0f, 0.0f, 0.25f}).view({3, 2});
  hook.OnResidual(sae.config().hook.site(), {&packed, 1}, h);
  EXPECT_TRUE(at::equal(
      h, at::tensor({13.0f, 11.0f, 2.0f, 114.0f, 0.0f, 10.25f}).view({3, 2})));
  EXPECT_EQ(results[0].receipts[0].positions_checked, 0);
  EXPECT_EQ(results[0].receipts[0].positions_applied, 3);
  for (int order : {1, 2}) {
    EXPECT_EQ(results[0].receipts[order].positions_checked, 3);
    EXPECT_EQ(results[0].receipts[order].positions_applied, 1);
  }
  EXPECT_EQ(results[0].receipts[1].effects[0].position, 1);
  EXPECT_EQ(results[0].receipts[2].effects[0].position, 0);
}

TEST(StepHookTest, ValuesKeepWhatTheActivationKeeps) {
  EXPECT_THAT(Read(PlainSae(SaeActivation::kIdentity, {0, 0}), {-3, 2}).values,
              ElementsAre(-3, 2));
  EXPECT_THAT(Read(PlainSae(SaeActivation::kRelu, {0, 0}), {-3, 2}).values,
              ElementsAre(0, 2));
}

TEST(StepHookTest, SaysWhetherAReadingIsOutsideWhereThereIsAGate) {
  Sae sae = PlainSae(SaeActivation::kIdentity, {0, 0});
  EXPECT_EQ(Read(sae, {1, 0}).outside_ratio, std::nullopt);
  EXPECT_FALSE(Read(sae, {1, 0}).outside());
  // Known around (1, 0) and (0, 1), background around (5, 5).
  sae.set_gate(*OutsideGate::Make({at::eye(2), at::zeros({0, 2}), 1},
                                  {at::full({1, 2}, 5.0), at::zeros({0, 2}), 1},
                                  0.5));
  EXPECT_EQ(Read(sae, {1, 0}).outside_ratio, 0);
  EXPECT_FALSE(Read(sae, {1, 0}).outside());
  EXPECT_NEAR(*Read(sae, {1, 2}).outside_ratio, 2 * std::sqrt(2.0) / 5, 1e-6);
  EXPECT_TRUE(Read(sae, {4, 4}).outside());
}

TEST(StepHookTest, ASlotIsBoundFromItsThresholdOnAndNeverWhenSilent) {
  const Sae sae = PlainSae(SaeActivation::kIdentity, {0.5, 2});
  EXPECT_TRUE(Read(sae, {0.5f, 0}).bound);  // At the threshold.
  EXPECT_FALSE(Read(sae, {std::nextafter(0.5f, 0.0f), 0}).bound);
  EXPECT_TRUE(Read(sae, {0, 2}).bound);
  EXPECT_FALSE(Read(sae, {0.6f, 1.75f}).bound);  // Of the top one alone.
  EXPECT_FALSE(Read(sae, {0.25f, 1.75f}).bound);
  const Sae uncalibrated = PlainSae(SaeActivation::kIdentity, {0, 0});
  EXPECT_FALSE(Read(uncalibrated, {0, 0}).bound);
  EXPECT_FALSE(Read(uncalibrated, {-1, -2}).bound);
  EXPECT_TRUE(Read(uncalibrated, {1e-6f, -2}).bound);
}

TEST(StepHookTest, TheMarginIsWhatTheTopIsAheadOfTheSecond) {
  const ConceptReading reading =
      Read(PlainSae(SaeActivation::kRelu, {0, 0, 0}), {1, -1, 2});
  const double sum = std::exp(1.0) + std::exp(-1.0) + std::exp(2.0);
  EXPECT_NEAR(reading.probabilities[0], std::exp(1.0) / sum, 1e-6);
  EXPECT_NEAR(reading.probabilities[1], std::exp(-1.0) / sum, 1e-6);
  EXPECT_NEAR(reading.margin, (std::exp(2.0) - std::exp(1.0)) / sum, 1e-6);
  EXPECT_NEAR(reading.residual_norm, std::sqrt(6.0), 1e-6);
  // A single concept is ahead of nothing.
  EXPECT_EQ(Read(PlainSae(SaeActivation::kRelu, {0}), {-4}).margin, 1);
}

}  // namespace
}  // namespace alignsae
