// The separation of features against its formula, in one part and in several.

#include "model/train/sae/separation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace alignsae {
namespace {

using ::testing::ElementsAre;

TEST(FeatureSeparationTest, IsTheGapOfMeansInDeviations) {
  // Features: one on concept 0, one constant, one against concept 0.
  const at::Tensor z = at::tensor({3.0f, 7.0f, 0.0f, 5.0f, 7.0f, 1.0f, 0.0f,
                                   7.0f, 4.0f, 0.0f, 7.0f, 5.0f})
                           .reshape({4, 3});
  at::Tensor own = at::zeros({4, 2}, at::kBool);
  own[0][0] = own[1][0] = true;
  own[2][1] = own[3][1] = true;
  FeatureSeparation whole;
  whole.Add(z, own);
  const at::Tensor scores = whole.Scores();
  const double deviation = std::sqrt((9 + 25) / 4.0 - 2 * 2);
  EXPECT_NEAR(scores[0][0].item<double>(), 4 / deviation, 1e-9);
  EXPECT_EQ(scores[0][1].item<double>(), 0);
  EXPECT_LT(scores[0][2].item<double>(), 0);
  EXPECT_NEAR(scores[1][0].item<double>(), -4 / deviation, 1e-9);
  FeatureSeparation parts;
  parts.Add(z.narrow(0, 0, 1), own.narrow(0, 0, 1));
  parts.Add(z.narrow(0, 1, 3), own.narrow(0, 1, 3));
  EXPECT_TRUE(at::allclose(parts.Scores(), scores));
  EXPECT_THAT(BestDistinctFeatures(scores), ElementsAre(0, 2));
}

TEST(FeatureSeparationTest, AFeatureIsTakenOnce) {
  const at::Tensor scores =
      at::tensor({5.0, 4.0, 0.0, 6.0, 1.0, 0.0}, at::kDouble).reshape({2, 3});
  EXPECT_THAT(BestDistinctFeatures(scores), ElementsAre(1, 0));
}

TEST(FeatureSeparationTest, AConceptOfAllPromptsIsToldByNothing) {
  FeatureSeparation separation;
  separation.Add(at::rand({3, 2}), at::ones({3, 1}, at::kBool));
  EXPECT_TRUE(at::equal(separation.Scores(), at::zeros({1, 2}, at::kDouble)));
}

}  // namespace
}  // namespace alignsae
