// What ends an answer from inside: a reading at a generated token. The fake
// reads the token's id as the first concept's value, which is always bound.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ConditionsTest : public SchedulerTest {
 protected:
  // Of `tokens` tokens, read by the second checkpoint.
  static SequenceSpec AbortAbove(double above, int tokens) {
    SequenceSpec spec = Generate({7, 6}, tokens);
    spec.reading_checkpoint = 1;
    spec.abort_when =
        ReadingCondition{.checkpoint = 1, .column = 0, .above = above};
    return spec;
  }
};

TEST_F(ConditionsTest, AnAnswerEndsWithTheTokenAtWhichItIsAborted) {
  const std::vector<int32_t> whole = FakeStepExecutor::Continue({7, 6}, 8);
  // The largest of the first four, which is not the first of them.
  const auto largest = std::max_element(whole.begin(), whole.begin() + 4);
  ASSERT_NE(largest, whole.begin()) << "choose another prompt";
  const auto sink = Submit(AbortAbove(*largest - 0.5, 8));
  RunUntilIdle();
  EXPECT_THAT(sink->ids(), ElementsAreArray(whole.begin(), largest + 1));
  ASSERT_THAT(sink->finished(), SizeIs(1));
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kAborted);
  EXPECT_EQ(sink->finished()[0].generated_tokens, largest - whole.begin() + 1);
  EXPECT_OK(*sink->done());
  EXPECT_THAT(sink->traces(), IsEmpty());  // Not asked for.
  EXPECT_THAT(observer_.generated_readings, IsEmpty());
}

TEST_F(ConditionsTest, TheTokenIsTracedWhereATraceIsAskedFor) {
  SequenceSpec spec = AbortAbove(-1, 8);
  spec.trace = true;
  const auto sink = Submit(std::move(spec));
  RunUntilIdle();
  EXPECT_THAT(sink->ids(), SizeIs(1));
  ASSERT_THAT(sink->traces(), SizeIs(1));
  EXPECT_EQ(sink->traces()[0].reading.position, 2);
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kAborted);
}

TEST_F(ConditionsTest, AConditionThatNeverHoldsChangesNothing) {
  const auto sink = Submit(AbortAbove(1000, 5));
  RunUntilIdle();
  EXPECT_THAT(sink->ids(),
              ElementsAreArray(FakeStepExecutor::Continue({7, 6}, 5)));
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kLength);
}

TEST_F(ConditionsTest, TheLastTokenIsNotRead) {
  const auto sink = Submit(AbortAbove(-1, 1));
  RunUntilIdle();
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kLength);
}

TEST_F(ConditionsTest, ABoundOrUnboundConceptEndsItToo) {
  for (bool bound : {true, false}) {
    SequenceSpec spec = AbortAbove(0, 4);
    spec.abort_when->above.reset();
    spec.abort_when->bound = bound;
    const auto sink = Submit(std::move(spec));
    RunUntilIdle();
    EXPECT_EQ(sink->finished()[0].reason,
              bound ? FinishReason::kAborted : FinishReason::kLength);
  }
}

TEST_F(ConditionsTest, OneArmEndsAndTheOtherGoesOn) {
  RequestSpec spec;
  spec.sequences = {AbortAbove(-1, 6), Generate({7, 6}, 6)};
  spec.grouping = Grouping::kTogether;
  const auto sink = Submit(std::move(spec));
  RunUntilIdle();
  EXPECT_THAT(sink->ids(0), SizeIs(1));
  EXPECT_THAT(sink->ids(1),
              ElementsAreArray(FakeStepExecutor::Continue({7, 6}, 6)));
  EXPECT_OK(*sink->done());
}

}  // namespace
}  // namespace alignsae
