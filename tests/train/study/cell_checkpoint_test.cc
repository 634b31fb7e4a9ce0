// Baseline checkpoints and few labels, on residuals whose concepts are known.

#include "model/train/study/cell_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "model/train/eval/baseline_checkpoints.h"
#include "model/train/sae/simple_checkpoints.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"
#include "tests/train/sae/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr HookPoint kHook = kSyntheticHook;

// Share of the rows whose own slot is the highest.
double ReadShare(const SaeInputs& inputs, const Sae& sae) {
  const at::Tensor pre = sae.ConceptPre(inputs.train.by_hook.at(kHook));
  return pre.argmax(1)
      .eq(inputs.train.labels)
      .to(at::kDouble)
      .mean()
      .item<double>();
}

// [R, D] of the concepts, less their mean.
at::Tensor Differences(const SaeInputs& inputs) {
  std::vector<at::Tensor> means;
  for (int64_t r = 0; r < 3; ++r) {
    means.push_back(
        inputs.train.by_hook.at(kHook)
            .index_select(0, inputs.train.labels.eq(r).nonzero().squeeze(1))
            .mean(0));
  }
  const at::Tensor all = at::stack(means);
  return all - all.mean(0, /*keepdim=*/true);
}

TEST(ClassMeanCheckpointTest, ASlotWritesItsClassAndReadsOneThere) {
  const SaeInputs inputs = SyntheticInputs();
  ASSERT_OK_AND_ASSIGN(const Sae sae, ClassMeanCheckpoint(inputs, kHook));
  EXPECT_EQ(sae.config().n_features, 3);
  const at::Tensor differences = Differences(inputs);
  EXPECT_TRUE(at::allclose(sae.concept_decoder() * sae.config().scale,
                           differences, 1e-3, 1e-3));
  const at::Tensor centre =
      inputs.train.by_hook.at(kHook).mean(0, /*keepdim=*/true);
  const at::Tensor at_means = sae.ConceptPre(differences + centre);
  EXPECT_TRUE(at::allclose(at_means.diagonal(), at::ones({3}), 1e-3, 1e-3));
  EXPECT_GT(ReadShare(inputs, sae), 0.9);
  for (const Concept& entry : sae.config().concepts) {
    EXPECT_GT(entry.active_mean, 0) << entry.name;
  }
}

TEST(LinearProbeCheckpointTest, ReadsAndWritesAlongTheSameLine) {
  const SaeInputs inputs = SyntheticInputs();
  ASSERT_OK_AND_ASSIGN(const Sae sae, LinearProbeCheckpoint(inputs, kHook));
  EXPECT_GT(ReadShare(inputs, sae), 0.99);
  // What a slot of value 1 writes raises its own logit by 1.
  const SaeWeights& weights = sae.weights();
  const at::Tensor raised = at::matmul(weights.w_dec, weights.w_enc);
  EXPECT_TRUE(at::allclose(raised.diagonal(), at::ones({3}), 1e-4, 1e-4));
}

TEST(TellingFeaturesTest, RoundsShareNoFeature) {
  const SaeInputs inputs = SyntheticInputs();
  SaePlan plan;
  plan.hook = kHook;
  plan.options = SmallSaeOptions();
  ASSERT_OK_AND_ASSIGN(const Sae plain, PlainSae(inputs, plan));
  EXPECT_EQ(plain.concept_count(), 0);
  EXPECT_EQ(plain.config().n_features, plan.options.free_features);
  ASSERT_OK_AND_ASSIGN(const auto rounds, TellingFeatures(inputs, plain, 3));
  std::set<int> features;
  for (const std::vector<int>& round : rounds) {
    features.insert(round.begin(), round.end());
  }
  EXPECT_EQ(features.size(), 9u);
  ASSERT_OK_AND_ASSIGN(const Sae named,
                       WithConceptsAt(inputs, plain, rounds[0]));
  EXPECT_EQ(named.config().concepts[1].slot, rounds[0][1]);
  EXPECT_GT(ReadShare(inputs, named), 0.5);
  EXPECT_THAT(
      TellingFeatures(inputs, plain, 11).status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("free_features: must be at least 33, got 32")));
  plan.options.activation = "topk";
  EXPECT_THAT(PlainSae(inputs, plan).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("activation: must be relu or identity")));
}

TEST(MakeBaselineCheckpointTest, KnowsItsNames) {
  const SaeInputs inputs = SyntheticInputs();
  BaselineCheckpointPlan plan;
  plan.sae.hook = kHook;
  plan.sae.options = SmallSaeOptions();
  for (const std::string& name : BaselineCheckpointNames()) {
    const absl::Status made =
        MakeBaselineCheckpoint(name, {}, inputs, plan).status();
    if (name == "output_feature") {  // There is nobody to ask.
      EXPECT_THAT(made, StatusIs(absl::StatusCode::kInvalidArgument,
                                 HasSubstr("must have --data")));
    } else {
      EXPECT_OK(made) << name;
    }
  }
  EXPECT_THAT(MakeBaselineCheckpoint("mean", {}, inputs, plan).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("baseline: must be one of class_means, ")));
}

TEST(MakeCellCheckpointTest, RandomDirectionsKeepTheirNormAndReadAlike) {
  const SaeInputs inputs = SyntheticInputs();
  TemporaryDirectory directory("cell_checkpoint");
  StudyCell cell;
  cell.sae = SmallSaeOptions();
  SaePlan plan;
  plan.hook = kHook;
  plan.options = cell.sae;
  plan.directory = directory.File("a");
  ASSERT_OK_AND_ASSIGN(const Sae own,
                       MakeCellCheckpoint(cell, {}, inputs, plan));
  cell.own.method = "random_directions";
  plan.directory = directory.File("b");
  ASSERT_OK_AND_ASSIGN(const Sae random,
                       MakeCellCheckpoint(cell, {}, inputs, plan));
  const at::Tensor& h = inputs.train.by_hook.at(kHook);
  EXPECT_TRUE(at::equal(own.ConceptPre(h), random.ConceptPre(h)));
  EXPECT_TRUE(at::allclose(own.concept_decoder().norm(2, {1}),
                           random.concept_decoder().norm(2, {1})));
  const at::Tensor cosines =
      at::cosine_similarity(own.concept_decoder(), random.concept_decoder());
  EXPECT_LT(cosines.abs().max().item<double>(), 0.8);
}

TEST(WithFewLabelsTest, KeepsSoManyOfEachConcept) {
  SaeInputs inputs = SyntheticInputs();
  inputs.train.labels[0] = -1;  // No concept: it stays.
  const SaeInputs few = WithFewLabels(inputs, 5, 1);
  EXPECT_EQ(few.train.labels.size(0), 16);
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(few.train.labels.eq(r).sum().item<int>(), 5) << r;
    EXPECT_EQ(few.validation.labels.eq(r).sum().item<int>(), 5) << r;
  }
  EXPECT_EQ(few.train.by_hook.at(kHook).size(0), 16);
  EXPECT_FALSE(at::equal(few.train.by_hook.at(kHook),
                         WithFewLabels(inputs, 5, 2).train.by_hook.at(kHook)));
  EXPECT_EQ(WithFewLabels(inputs, 0, 1).train.labels.size(0), 240);
}

}  // namespace
}  // namespace alignsae
