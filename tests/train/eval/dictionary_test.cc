#include "model/train/eval/dictionary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

TEST(EffectiveCountTest, IsOneForOneAndNForAnEvenShare) {
  EXPECT_NEAR(EffectiveCount({0, 3, 0, 0}), 1, 1e-12);
  EXPECT_NEAR(EffectiveCount({2, 2, 2, 2}), 4, 1e-12);
  EXPECT_NEAR(EffectiveCount({1, 1, 0}), 2, 1e-12);
  // Entropy of (3/4, 1/4).
  EXPECT_NEAR(EffectiveCount({3, 1}),
              std::exp(-(0.75 * std::log(0.75) + 0.25 * std::log(0.25))),
              1e-12);
  EXPECT_EQ(EffectiveCount({0, 0}), 0);
  EXPECT_EQ(EffectiveCount({}), 0);
}

// D = 2, F = 4: concepts at slots 2 and 0, free features 1 and 3. Encoder rows
// pick coordinates; feature 3 never fires.
Sae HandMadeSae() {
  SaeConfig config;
  config.d_model = 2;
  config.n_features = 4;
  config.scale = 2;
  for (int slot : {2, 0}) {
    Concept entry;
    entry.name = "slot_" + std::to_string(slot);
    entry.slot = slot;
    config.concepts.push_back(entry);
  }
  SaeWeights weights;
  // pre = (x0, x0 + x1, x1, -1)
  weights.w_enc = at::tensor({1.0, 1.0, 0.0, 0.0,  //
                              0.0, 1.0, 1.0, 0.0})
                      .reshape({2, 4})
                      .to(at::kFloat);
  weights.b_enc = at::tensor({0.0, 0.0, 0.0, -1.0}).to(at::kFloat);
  weights.w_dec = at::tensor({1.0, 0.0,  //
                              0.0, 0.0,  //
                              0.0, 0.5,  //
                              0.0, 0.0})
                      .reshape({4, 2})
                      .to(at::kFloat);
  weights.b_dec = at::zeros({2});
  return Sae::FromWeights(config, weights).value();
}

TEST(MeasureDictionaryTest, HandMadeCase) {
  const Sae sae = HandMadeSae();
  // x = h / 2: (1, 0), (3, 0), (0, 1), (0, 3).
  const at::Tensor h = at::tensor({2.0, 0.0, 6.0, 0.0, 0.0, 2.0, 0.0, 6.0})
                           .reshape({4, 2})
                           .to(at::kFloat);
  // Concept 1 (slot 0) is asked in the first two rows, concept 0 after.
  const at::Tensor labels = at::tensor({1, 1, 0, 0}, at::kLong);
  const DictionaryStats stats = MeasureDictionary(sae, h, labels, h);
  // The second coordinate is halved: errors 1 and 3 in h. The variance about
  // the mean (2, 2) is 2 (0 + 16 + 4 + 4).
  EXPECT_NEAR(stats.fvu, (1 + 9) / 48.0, 1e-6);
  // Only feature 1 fires of the free ones, in every row.
  EXPECT_NEAR(stats.l0, 1, 1e-12);
  EXPECT_EQ(stats.free_features, 2);
  EXPECT_EQ(stats.dead_features, 1);
  // Each concept's mass lies half on its slot, half on feature 1.
  EXPECT_NEAR(stats.effective_features[0], 2, 1e-9);
  EXPECT_NEAR(stats.effective_features[1], 2, 1e-9);
  EXPECT_NEAR(stats.effective_slots[0], 1, 1e-9);
  EXPECT_NEAR(stats.mean_effective_slots(), 1, 1e-9);
}

TEST(MeasureDictionaryTest, DeadFeaturesAreThoseOfTheTrainingPrompts) {
  const Sae sae = HandMadeSae();
  const at::Tensor h = at::tensor({2.0, 0.0}).reshape({1, 2}).to(at::kFloat);
  const at::Tensor silent = at::zeros({1, 2});
  const DictionaryStats stats =
      MeasureDictionary(sae, h, at::tensor({0}, at::kLong), silent);
  EXPECT_EQ(stats.dead_features, 2);
}

}  // namespace
}  // namespace alignsae
