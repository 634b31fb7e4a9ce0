#include "model/sae/sae.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/reference/sae_reference.h"
#include "tests/support/random_sae.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

constexpr double kTolerance = 1e-5;

constexpr SaeActivation kActivations[] = {
    SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
    SaeActivation::kJumpRelu};

ReferenceSae Reference(SaeActivation activation, double scale = 1) {
  return RandomReferenceSae({.activation = activation, .scale = scale},
                            /*seed=*/17);
}

// [count, D], rows as RandomResidual(d_model, size, n) makes them.
at::Tensor Residuals(const ReferenceSae& sae, int count, double size) {
  std::vector<at::Tensor> rows;
  for (int n = 0; n < count; ++n) {
    rows.push_back(FloatTensor(RandomResidual(sae.config.d_model, size, n),
                               {sae.config.d_model}));
  }
  return at::stack(rows);
}

void ExpectNear(const std::vector<double>& actual,
                const std::vector<double>& expected, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], kTolerance) << what << " at " << i;
  }
}

class SaeActivationTest : public ::testing::TestWithParam<SaeActivation> {};

TEST_P(SaeActivationTest, EncodesAndDecodesAsTheScalarReference) {
  for (double scale : {1.0, 0.25, 40.0}) {
    const ReferenceSae reference = Reference(GetParam(), scale);
    const Sae sae = SaeOf(reference);
    const at::Tensor h = Residuals(reference, 16, 2 * scale);  // [N, D]
    const at::Tensor pre = sae.Pre(h);
    const at::Tensor z = sae.Encode(h);
    const at::Tensor decoded = sae.Decode(z).div(scale);
    for (int64_t n = 0; n < h.size(0); ++n) {
      const std::string where = absl::StrCat("scale ", scale, ", row ", n);
      const std::vector<double> row = RowOf(h, n);
      ExpectNear(RowOf(pre, n), reference.Pre(row), "pre, " + where);
      ExpectNear(RowOf(z, n), reference.Encode(row), "z, " + where);
      std::vector<double> expected = reference.Decode(reference.Encode(row));
      for (double& value : expected) value /= scale;
      ExpectNear(RowOf(decoded, n), expected, "decoded, " + where);
    }
  }
}

TEST_P(SaeActivationTest, ConceptValuesAreThoseOfTheWholeEncoding) {
  const ReferenceSae reference = Reference(GetParam(), 3);
  const Sae sae = SaeOf(reference);
  const at::Tensor h = Residuals(reference, 16, 6);
  const at::Tensor pre = sae.ConceptPre(h);
  const at::Tensor z = sae.ConceptActivate(pre);
  EXPECT_TRUE(at::allclose(pre, sae.Pre(h).index_select(1, sae.concept_slots()),
                           0, 1e-6));
  EXPECT_TRUE(at::allclose(
      z, sae.Encode(h).index_select(1, sae.concept_slots()), 0, 1e-6));
}

TEST_P(SaeActivationTest, SlotValuesAreThoseOfTheWholeEncoding) {
  const ReferenceSae reference = Reference(GetParam(), 3);
  const Sae sae = SaeOf(reference);
  const int64_t n_features = reference.config.n_features;
  const at::Tensor h = Residuals(reference, 2, 6);
  const at::Tensor z = sae.Encode(h);
  // Row 0 asks for every feature, row 1 for the same ones backwards.
  const at::Tensor up = at::arange(n_features, at::kLong);
  EXPECT_TRUE(at::allclose(sae.SlotValues(h, at::stack({up, up.flip(0)})),
                           at::stack({z[0], z[1].flip(0)}), 0, 1e-6));
}

TEST_P(SaeActivationTest, HalfPrecisionInputIsComputedInFloat32) {
  const ReferenceSae reference = Reference(GetParam());
  const Sae sae = SaeOf(reference);
  const at::Tensor h = Residuals(reference, 4, 2).to(at::kBFloat16);
  EXPECT_EQ(sae.ConceptPre(h).scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(sae.Pre(h), sae.Pre(h.to(at::kFloat))));
}

INSTANTIATE_TEST_SUITE_P(Every, SaeActivationTest,
                         ::testing::ValuesIn(kActivations),
                         [](const auto& activation) {
                           return std::string(
                               SaeActivationName(activation.param));
                         });

TEST(SaeTest, TopKChoosesAmongFreeFeaturesAndKeepsEveryConcept) {
  // Concepts 0 and 4; of the free features 1, 2, 3, 5 the two largest stay.
  ReferenceSae reference =
      RandomReferenceSae({.d_model = 1,
                          .n_features = 6,
                          .slots = {4, 0},
                          .activation = SaeActivation::kTopK,
                          .k = 2},
                         /*seed=*/1);
  const Sae sae = SaeOf(reference);
  const at::Tensor pre = FloatTensor({9, 1, 5, -2, 0.5, 3,  //
                                      -9, -1, 2, -3, -4, -5},
                                     {2, 6});
  const at::Tensor expected = FloatTensor({9, 0, 5, 0, 0.5, 3,  //
                                           0, 0, 2, 0, 0, 0},
                                          {2, 6});
  EXPECT_TRUE(at::equal(sae.Activate(pre), expected)) << sae.Activate(pre);
}

TEST(SaeTest, JumpReluThresholdDoesNotApplyToConcepts) {
  ReferenceSae reference =
      RandomReferenceSae({.d_model = 1,
                          .n_features = 4,
                          .slots = {2},
                          .activation = SaeActivation::kJumpRelu},
                         /*seed=*/1);
  reference.threshold = {1, 1, 1, 1};
  const Sae sae = SaeOf(reference);
  const at::Tensor pre = FloatTensor({0.5, 1, 0.5, 1.5}, {1, 4});
  EXPECT_TRUE(
      at::equal(sae.Activate(pre), FloatTensor({0, 0, 0.5, 1.5}, {1, 4})))
      << sae.Activate(pre);
}

TEST(SaeTest, IdentityKeepsNegativeConcepts) {
  const Sae sae = SaeOf(Reference(SaeActivation::kIdentity));
  const at::Tensor pre = FloatTensor({-1, 2, -3}, {1, 3});
  EXPECT_TRUE(at::equal(sae.ConceptActivate(pre), pre));
}

TEST(SaeTest, ConceptTensorsAreInTheOrderOfTheConfig) {
  const ReferenceSae reference = Reference(SaeActivation::kRelu);
  const Sae sae = SaeOf(reference);
  ASSERT_EQ(sae.concept_count(), 3);
  for (int r = 0; r < 3; ++r) {
    const Concept& entry = reference.config.concepts[r];
    EXPECT_EQ(sae.ConceptOfSlot(entry.slot), r);
    EXPECT_EQ(sae.concept_slots()[r].item<int64_t>(), entry.slot);
    EXPECT_TRUE(
        at::equal(sae.concept_decoder()[r], sae.weights().w_dec[entry.slot]));
  }
  EXPECT_EQ(sae.ConceptOfSlot(1), -1);
  EXPECT_EQ(sae.ConceptOfSlot(-1), -1);
}

TEST(SaeTest, LaterChangesOfTheCallersWeightsDoNotReachIt) {
  const ReferenceSae reference = Reference(SaeActivation::kRelu);
  const SaeWeights weights = WeightsOf(reference);
  ASSERT_OK_AND_ASSIGN(const Sae sae,
                       Sae::FromWeights(reference.config, weights));
  const at::Tensor h = Residuals(reference, 4, 2);
  const at::Tensor before = sae.Encode(h);
  weights.w_enc.zero_();
  weights.b_enc.zero_();
  EXPECT_TRUE(at::equal(sae.Encode(h), before));
}

TEST(SaeTest, AnSaeWithoutConceptsReadsNone) {
  const ReferenceSae reference = RandomReferenceSae({.slots = {}}, 1);
  const Sae sae = SaeOf(reference);
  EXPECT_EQ(sae.concept_count(), 0);
  EXPECT_EQ(sae.ConceptPre(Residuals(reference, 2, 1)).sizes(),
            at::IntArrayRef({2, 0}));
}

// What FromWeights says to weights that `spoil` changed.
template <typename Spoil>
absl::Status StatusOfSpoiled(SaeActivation activation, Spoil spoil) {
  const ReferenceSae reference = Reference(activation);
  SaeWeights weights = WeightsOf(reference);
  spoil(weights);
  return Sae::FromWeights(reference.config, weights).status();
}

TEST(SaeTest, WeightsOfAnotherShapeAreRefusedByName) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(
      StatusOfSpoiled(SaeActivation::kRelu,
                      [](SaeWeights& w) { w.w_enc = w.w_enc.t(); }),
      StatusIs(invalid,
               "tensor \"W_enc\": must have shape [12, 20], got [20, 12]"));
  EXPECT_THAT(
      StatusOfSpoiled(SaeActivation::kRelu,
                      [](SaeWeights& w) { w.b_enc = w.b_enc.slice(0, 1); }),
      StatusIs(invalid, "tensor \"b_enc\": must have shape [20], got [19]"));
  EXPECT_THAT(
      StatusOfSpoiled(SaeActivation::kRelu,
                      [](SaeWeights& w) { w.b_dec = at::Tensor(); }),
      StatusIs(invalid, "tensor \"b_dec\": must be given, got nothing"));
  EXPECT_THAT(
      StatusOfSpoiled(SaeActivation::kRelu,
                      [](SaeWeights& w) { w.w_dec = w.w_dec.to(at::kLong); }),
      StatusIs(invalid, "tensor \"W_dec\": must be floating point, got Long"));
}

TEST(SaeTest, ThresholdBelongsToJumpReluOnly) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(
      StatusOfSpoiled(SaeActivation::kRelu,
                      [](SaeWeights& w) { w.threshold = w.b_enc.clone(); }),
      StatusIs(invalid,
               "tensor \"threshold\": must be absent unless the activation is "
               "jumprelu, got a tensor"));
  EXPECT_THAT(
      StatusOfSpoiled(SaeActivation::kJumpRelu,
                      [](SaeWeights& w) { w.threshold = at::Tensor(); }),
      StatusIs(invalid, "tensor \"threshold\": must be given, got nothing"));
}

TEST(SaeTest, NonFiniteWeightIsRefusedWithItsPlace) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(StatusOfSpoiled(SaeActivation::kRelu,
                              [](SaeWeights& w) { w.w_enc[3][17] = NAN; }),
              StatusIs(invalid,
                       "tensor \"W_enc\": must be finite, got nan at [3, 17]"));
  EXPECT_THAT(StatusOfSpoiled(SaeActivation::kJumpRelu,
                              [](SaeWeights& w) { w.threshold[4] = INFINITY; }),
              StatusIs(invalid,
                       "tensor \"threshold\": must be finite, got inf at [4]"));
}

TEST(SaeTest, ConceptWithoutADirectionIsRefused) {
  EXPECT_THAT(StatusOfSpoiled(SaeActivation::kRelu,
                              [](SaeWeights& w) { w.w_dec[19].zero_(); }),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "tensor \"W_dec\": must have a row of non-zero norm for "
                       "every concept, got norm 0 at row 19 (concept "
                       "\"concept_2\")"));
  EXPECT_OK(StatusOfSpoiled(SaeActivation::kRelu, [](SaeWeights& w) {
    w.w_dec[1].zero_();
  })) << "a free feature may be dead";
  EXPECT_OK(StatusOfSpoiled(SaeActivation::kRelu, [](SaeWeights& w) {
    w.w_dec[19].fill_(1e-30);
  })) << "tiny is not zero";
}

TEST(SaeTest, ConfigOutsideItsRangesIsRefused) {
  const ReferenceSae reference = Reference(SaeActivation::kRelu);
  SaeConfig config = reference.config;
  config.concepts[1].slot = 20;
  EXPECT_THAT(Sae::FromWeights(config, WeightsOf(reference)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "cfg.json: alignsae.concepts[1].slot: must be in "
                       "[0, 19], got 20"));
}

}  // namespace
}  // namespace alignsae
