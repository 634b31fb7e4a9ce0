#include "model/scheduler/mean_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

ConceptReading ReadingAt(int position, std::vector<float> values,
                         std::vector<float> probabilities) {
  ConceptReading reading;
  reading.checkpoint = 2;
  reading.position = position;
  reading.values = std::move(values);
  reading.probabilities = std::move(probabilities);
  reading.residual_norm = position;
  return reading;
}

std::vector<Concept> Concepts(double threshold) {
  std::vector<Concept> concepts(2);
  for (Concept& entry : concepts) entry.threshold = threshold;
  return concepts;
}

TEST(MeanReadingTest, TopMarginAndBoundFollowFromTheMeans) {
  // The last token alone would read the first concept.
  std::vector<ConceptReading> readings = {ReadingAt(3, {0, 6}, {0.25, 0.75}),
                                          ReadingAt(4, {0, 3}, {0.125, 0.875}),
                                          ReadingAt(5, {3, 0}, {0.75, 0.25})};
  const ConceptReading mean = MeanReading(readings, Concepts(3));
  EXPECT_EQ(mean.checkpoint, 2);
  EXPECT_EQ(mean.position, 5);
  EXPECT_EQ(mean.positions, 3);
  EXPECT_THAT(mean.values, ElementsAre(1, 3));
  EXPECT_THAT(mean.probabilities, ElementsAre(0.375, 0.625));
  EXPECT_EQ(mean.top, 1);
  EXPECT_EQ(mean.margin, 0.25);
  EXPECT_TRUE(mean.bound);
  EXPECT_EQ(mean.residual_norm, 4);
  EXPECT_FALSE(mean.outside_ratio.has_value());
  EXPECT_FALSE(MeanReading(readings, Concepts(3.5)).bound);

  for (ConceptReading& reading : readings) {
    reading.outside_ratio = reading.position - 3;
  }
  EXPECT_EQ(MeanReading(readings, Concepts(3)).outside_ratio, 1);
  readings[2].outside_ratio = 2.5;
  EXPECT_TRUE(MeanReading(readings, Concepts(3)).outside());
}

TEST(MeanReadingTest, ASilentTopIsNotBoundByAThresholdOfZero) {
  const std::vector<ConceptReading> readings = {
      ReadingAt(0, {0, 0}, {0.5, 0.5}), ReadingAt(1, {0, 0}, {0.75, 0.25})};
  EXPECT_FALSE(MeanReading(readings, Concepts(0)).bound);
}

TEST(MeanReadingTest, OneReadingStaysAsItIsAndAPlainSaeHasNoTop) {
  ConceptReading one = ReadingAt(7, {1, 2}, {0.5, 0.5});
  one.bound = true;
  one.margin = 0.125;
  const ConceptReading same = MeanReading({one}, Concepts(9));
  EXPECT_TRUE(same.bound);
  EXPECT_EQ(same.margin, 0.125);
  EXPECT_EQ(same.positions, 1);
  const ConceptReading plain =
      MeanReading({ReadingAt(1, {}, {}), ReadingAt(2, {}, {})}, {});
  EXPECT_TRUE(plain.values.empty());
  EXPECT_FALSE(plain.bound);
  EXPECT_THAT(static_cast<float>(plain.residual_norm), FloatEq(1.5));
}

}  // namespace
}  // namespace alignsae
