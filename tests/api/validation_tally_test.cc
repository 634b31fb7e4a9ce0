#include "server/api/validation_tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/small_catalog.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

ConceptReading Reading(int top, bool bound, double outside = 0) {
  ConceptReading reading;
  reading.top = top;
  reading.bound = bound;
  reading.outside_ratio = outside;
  return reading;
}

TEST(ValidationTallyTest, CountsEachThingApart) {
  CheckpointInfo checkpoint = SmallCheckpoint("main", 1, false);
  checkpoint.has_gate = true;
  ValidationTally tally(checkpoint);
  tally.CountReading(0, Reading(0, true));       // Told.
  tally.CountReading(0, Reading(0, true, 1.5));  // Right, outside.
  tally.CountReading(0, Reading(0, false));      // Right, not bound.
  tally.CountReading(0, Reading(1, true));       // Wrong, told.
  tally.CountReading(1, Reading(0, true, 2));    // Wrong, outside.
  tally.CountReading(1, Reading(1, true, 1));    // Told: at the limit.
  tally.CountReading(-1, Reading(1, true));      // Told where none is asked.
  tally.CountReading(-1, Reading(1, false));
  tally.CountReading(-1, Reading(0, true, 1.01));
  tally.CountSwap(1, true);
  tally.CountSwap(1, false);
  tally.CountSwap(0, true);
  EXPECT_EQ(tally.readings(), 9);
  EXPECT_EQ(tally.swaps(), 3);
  EXPECT_DOUBLE_EQ(tally.read_rate(), 4.0 / 6);

  v1::ValidationReport report;
  tally.Render(&report);
  const auto is = [](const v1::MeasuredShare& share, int successes, int tries) {
    EXPECT_EQ(share.successes(), successes);
    EXPECT_EQ(share.tries(), tries);
    EXPECT_DOUBLE_EQ(share.rate(), static_cast<double>(successes) / tries);
    EXPECT_LE(share.low(), share.rate());
    EXPECT_GE(share.high(), share.rate());
    EXPECT_LT(share.low(), share.high());
  };
  is(report.read(), 4, 6);
  is(report.abstention(), 2, 3);
  is(report.silent_right(), 2, 4);
  is(report.bound_wrong(), 1, 6);
  is(report.swap(), 2, 3);
  EXPECT_TRUE(report.tells_outside());
  ASSERT_EQ(report.concepts_size(), 2);
  const v1::ConceptValidation& city = report.concepts(0);
  EXPECT_EQ(city.name(), "city");
  EXPECT_THAT(city.top_counts(), ElementsAre(3, 1));
  is(city.read(), 3, 4);
  is(city.told(), 1, 4);
  is(city.swap(), 1, 1);
  const v1::ConceptValidation& job = report.concepts(1);
  EXPECT_THAT(job.top_counts(), ElementsAre(1, 1));
  is(job.told(), 1, 2);
  is(job.swap(), 1, 2);
}

TEST(ValidationTallyTest, AShareOfNothingIsAbsent) {
  const ValidationTally tally(SmallCheckpoint("main", 1, false));
  v1::ValidationReport report;
  tally.Render(&report);
  EXPECT_FALSE(report.has_read() || report.has_abstention() ||
               report.has_silent_right() || report.has_bound_wrong() ||
               report.has_swap() || report.tells_outside());
  EXPECT_FALSE(report.concepts(0).has_read() || report.concepts(0).has_told() ||
               report.concepts(0).has_swap());
  EXPECT_EQ(tally.read_rate(), 0);
}

}  // namespace
}  // namespace alignsae
