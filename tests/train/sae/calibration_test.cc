#include "model/train/sae/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "model/train/sae/losses.h"

namespace alignsae {
namespace {

TEST(ChooseThresholdTest, LiesInTheMiddleOfTheGapThatSeparates) {
  const Threshold threshold = ChooseThreshold({0.8, 0.7, 1.0}, {0.0, 0.1, 0.3});
  EXPECT_DOUBLE_EQ(threshold.value, 0.5);
  EXPECT_DOUBLE_EQ(threshold.youden, 1);
}

TEST(ChooseThresholdTest, MaximisesTheDifferenceOfSharesWhereTheyOverlap) {
  // At or above 0.55: 3 of 4 own, 0 of 4 others; at or above 0.25: 4 and 2.
  const Threshold threshold =
      ChooseThreshold({0.9, 0.8, 0.6, 0.3}, {0.5, 0.4, 0.2, 0.1});
  EXPECT_DOUBLE_EQ(threshold.value, 0.55);
  EXPECT_DOUBLE_EQ(threshold.youden, 0.75);
}

TEST(ChooseThresholdTest, OfEquallyGoodGapsTheWidestWins) {
  // Below the first and below the second own value J is 0.5 both times.
  const Threshold threshold = ChooseThreshold({1.0, 0.4}, {0.9, 0.0});
  EXPECT_DOUBLE_EQ(threshold.youden, 0.5);
  EXPECT_DOUBLE_EQ(threshold.value, 0.2);
}

TEST(ChooseThresholdTest, ASlotThatSeparatesNothingIsNeverBound) {
  for (const Threshold& threshold :
       {ChooseThreshold({0, 0, 0}, {0, 0}), ChooseThreshold({0.1}, {0.5, 0.9}),
        ChooseThreshold({}, {0.9})}) {
    EXPECT_GT(threshold.value, 0.9);
    EXPECT_EQ(threshold.youden, 0);
  }
}

TEST(ChooseThresholdTest, NeverLiesBetweenEqualValues) {
  const Threshold threshold = ChooseThreshold({0.5, 0.5}, {0.5, 0.0});
  EXPECT_DOUBLE_EQ(threshold.value, 0.25);
  EXPECT_DOUBLE_EQ(threshold.youden, 0.5);
}

TEST(CalibrateConceptsTest, MeansAreOfTrainingAndThresholdsOfValidation) {
  const at::Tensor z_train = at::tensor({2.0, 0.0,    //
                                         4.0, 0.0,    //
                                         0.0, 10.0})  //
                                 .reshape({3, 2});
  const at::Tensor labels_train = at::tensor({0, 0, 1}, at::kLong);
  const at::Tensor z_validation =
      at::tensor({1.0, 0.0, 0.5, 6.0}).reshape({2, 2});
  const at::Tensor labels_validation = at::tensor({0, 1}, at::kLong);
  const std::vector<ConceptCalibration> calibrations =
      CalibrateConcepts(z_train, OneHot(labels_train, 2), z_validation,
                        OneHot(labels_validation, 2));
  ASSERT_EQ(calibrations.size(), 2u);
  EXPECT_DOUBLE_EQ(calibrations[0].active_mean, 3);
  EXPECT_DOUBLE_EQ(calibrations[0].threshold, 0.75);
  EXPECT_DOUBLE_EQ(calibrations[1].active_mean, 10);
  EXPECT_DOUBLE_EQ(calibrations[1].threshold, 3);
  EXPECT_DOUBLE_EQ(calibrations[1].youden, 1);
}

TEST(CalibrateConceptsTest, WithoutValidationTheThresholdsComeFromTraining) {
  const std::vector<ConceptCalibration> calibrations = CalibrateConcepts(
      at::tensor({2.0, 1.0}).reshape({2, 1}),
      OneHot(at::tensor({0, 1}, at::kLong), 1), at::Tensor(), at::Tensor());
  EXPECT_DOUBLE_EQ(calibrations[0].threshold, 1.5);
}

}  // namespace
}  // namespace alignsae
