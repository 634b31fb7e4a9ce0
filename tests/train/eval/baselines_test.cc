// Baselines on synthetic residuals, and the class-mean one through the engine
// against its formula.

#include "model/train/eval/baselines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "model/intervention/apply.h"
#include "model/intervention/rules.h"
#include "tests/support/status_matchers.h"
#include "tests/train/sae/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr HookPoint kHook = kSyntheticHook;

TEST(ClassMeanSaeTest, AddOfAPairsSlotIsTheDifferenceOfTheMeans) {
  const SaeInputs inputs = SyntheticInputs();
  const at::Tensor& h = inputs.train.by_hook.at(kHook);
  ASSERT_OK_AND_ASSIGN(const Sae sae, ClassMeanSae(inputs, kHook));
  const Steering steering = ClassMeanSteering(3);
  std::vector<at::Tensor> means;
  for (int64_t r = 0; r < 3; ++r) {
    means.push_back(
        h.index_select(0, (inputs.train.labels == r).nonzero().squeeze(1))
            .mean(0));
  }
  std::set<int> slots;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      if (i == j) continue;
      Intervention edit;
      edit.mode = steering.mode;
      edit.target_slot = steering.slots[i][j].target;
      edit.alpha = 1.5;
      ASSERT_OK(CheckApplicable(sae, edit));
      slots.insert(edit.target_slot);
      at::Tensor edited = h.narrow(0, 5, 1).clone();
      const ResidualEdit row = {.row = 0, .sae = &sae, .intervention = &edit};
      ApplyEdits({row}, edited);
      EXPECT_TRUE(at::allclose(edited[0], h[5] + 1.5 * (means[j] - means[i]),
                               1e-5, 1e-4))
          << i << " -> " << j;
    }
  }
  EXPECT_EQ(slots.size(), 6u);
  EXPECT_EQ(sae.config().concepts[0].name, "a -> b");
}

// Features: slots 0-2 concepts, then one that fires on everything, one on
// concept 2, one on nothing, one on concept 0, one weakly on concept 0 and one
// on concept 1.
TEST(BestFreeFeaturesTest, PicksTheMostSelectiveDistinctFreeFeatures) {
  SaeInputs inputs;
  inputs.relations = {"a", "b", "c"};
  const at::Tensor labels = at::arange(30, at::kLong).remainder(3);
  const at::Tensor one_hot = at::one_hot(labels, 3).to(at::kFloat);
  inputs.train.labels = labels;
  inputs.train.by_hook[kHook] =
      one_hot + 0.01 * at::arange(30, at::kFloat).unsqueeze(1);
  SaeConfig config;
  config.d_model = 3;
  config.n_features = 9;
  config.hook = kHook;
  for (int r = 0; r < 3; ++r) {
    Concept entry;
    entry.name = inputs.relations[r];
    entry.slot = r;
    config.concepts.push_back(entry);
  }
  SaeWeights weights;
  weights.w_enc = at::zeros({3, 9});
  weights.b_enc = at::zeros({9});
  weights.w_dec = at::ones({9, 3});
  weights.b_dec = at::zeros({3});
  weights.b_enc[3] = 5;
  weights.w_enc[2][4] = 1;
  weights.b_enc[5] = -100;
  weights.w_enc[0][6] = 1;
  weights.w_enc[0][7] = 1;
  weights.w_enc[1][7] = 0.9;  // Concept 0 and, nearly as much, 1.
  weights.w_enc[1][8] = 1;
  ASSERT_OK_AND_ASSIGN(const Sae sae, Sae::FromWeights(config, weights));
  EXPECT_THAT(BestFreeFeatures(inputs, sae),
              IsOkAndHolds(::testing::ElementsAre(6, 8, 4)));
}

TEST(BestFreeFeaturesTest, NeedsAFreeFeaturePerRelation) {
  SaeConfig config;
  config.d_model = 1;
  config.n_features = 3;
  for (int r = 0; r < 2; ++r) {
    Concept entry;
    entry.name = std::to_string(r);
    entry.slot = r;
    config.concepts.push_back(entry);
  }
  SaeWeights weights = {.w_enc = at::ones({1, 3}),
                        .b_enc = at::zeros({3}),
                        .w_dec = at::ones({3, 1}),
                        .b_dec = at::zeros({1}),
                        .threshold = {}};
  ASSERT_OK_AND_ASSIGN(const Sae sae, Sae::FromWeights(config, weights));
  EXPECT_THAT(BestFreeFeatures(SaeInputs(), sae),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("free_features: must be at least 2, got 1")));
}

TEST(MeasureBaselineTest, AnUnknownNameIsRefused) {
  EXPECT_THAT(
      MeasureBaseline("luck", EvalInputs(), SaeInputs(), BaselinePlan()),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("baseline: must be one of class_means, without_perp, "
                         "without_val, without_stage1, stage1_features, got "
                         "luck")));
}

}  // namespace
}  // namespace alignsae
