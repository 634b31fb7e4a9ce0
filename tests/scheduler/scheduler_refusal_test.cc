// Requests that are not taken, and what they are told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "model/base/status_payload.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SchedulerRefusalTest : public SchedulerTest {
 protected:
  absl::Status SubmitStatus(RequestSpec spec) {
    return scheduler_.Submit(std::move(spec), std::make_shared<RecordingSink>())
        .status();
  }
};

TEST_F(SchedulerRefusalTest, ADeadlineThatHasPassedIsRefused) {
  RequestSpec spec = One(Generate({1}, 1));
  spec.deadline = clock_.Now();
  EXPECT_THAT(SubmitStatus(spec), StatusIs(absl::StatusCode::kDeadlineExceeded,
                                           "deadline: has passed"));
  EXPECT_THAT(observer_.rejected, ElementsAre(RejectReason::kDeadline));
}

TEST_F(SchedulerRefusalTest, ADeadlineThatWouldPassInTheQueueIsRefused) {
  executor_.before_step = [this] { clock_.Advance(absl::Seconds(1)); };
  Submit(Generate({1}, 4));
  RunUntilIdle();  // A sequence takes four seconds.
  for (int i = 0; i < kSlots; ++i) Submit(Generate({i}, 50));
  scheduler_.RunOneStep();
  RequestSpec spec = One(Generate({1}, 1));
  spec.deadline = clock_.Now() + absl::Milliseconds(900);
  const absl::Status refused = SubmitStatus(spec);
  EXPECT_THAT(refused,
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "deadline: must leave time to wait about 1s for a free "
                       "slot and to run about 1s, got 900ms"));
  EXPECT_EQ(ReasonOf(refused), "DEADLINE");
  EXPECT_EQ(RetryAfterOf(refused), absl::Seconds(1));
  spec.deadline = clock_.Now() + absl::Milliseconds(2300);
  EXPECT_OK(SubmitStatus(spec));
}

TEST_F(SchedulerRefusalTest,
       ARequestThatNeedNotWaitIsTriedWhateverItsDeadline) {
  executor_.before_step = [this] { clock_.Advance(absl::Seconds(1)); };
  Submit(Generate({1}, 4));
  RunUntilIdle();
  executor_.before_step = [] {};
  RequestSpec spec = One(Generate({1}, 4));
  spec.deadline = clock_.Now() + absl::Seconds(1);
  auto quick = Submit(spec);
  RunUntilIdle();
  EXPECT_EQ(quick->done(), absl::OkStatus());
}

TEST_F(SchedulerRefusalTest, AFullQueueIsRefusedWithAReasonAndADelay) {
  for (int i = 0; i < 8; ++i) Submit(Generate({i}, 1));
  const absl::Status refused = SubmitStatus(One(Generate({9}, 1)));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("at most 8 waiting sequences")));
  EXPECT_EQ(ReasonOf(refused), "QUEUE_FULL");
  EXPECT_EQ(RetryAfterOf(refused), absl::Milliseconds(200));
  EXPECT_THAT(observer_.rejected, ElementsAre(RejectReason::kQueueFull));
  RunUntilIdle();
  EXPECT_OK(SubmitStatus(One(Generate({9}, 1))));
}

TEST_F(SchedulerRefusalTest, ATokenBudgetThatIsSpentIsRefused) {
  Submit(Generate({1}, 399));
  const absl::Status refused = SubmitStatus(One(Generate({9}, 1)));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("at most 400 waiting tokens")));
  EXPECT_EQ(ReasonOf(refused), "TOKEN_BUDGET");
  handles_[0].Cancel();
}

TEST_F(SchedulerRefusalTest, MoreArmsThanSlotsAreRefusedForGood) {
  RequestSpec arms;
  arms.grouping = Grouping::kTogether;
  arms.sequences.assign(kSlots + 1, Generate({1}, 1));
  EXPECT_THAT(SubmitStatus(arms),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "arms: must fit into the server's 4 KV slots, got 5"));
}

TEST_F(SchedulerRefusalTest, ARefusalMakesNobodyWaitForEver) {
  auto large = [](int sequences, std::string client) {
    RequestSpec spec;
    spec.grouping = Grouping::kTogether;
    spec.client = std::move(client);
    for (int i = 0; i < sequences; ++i) {
      spec.sequences.push_back(Generate({i}, 1));
    }
    return spec;
  };
  auto first = Submit(large(4, "a"));
  auto second = Submit(large(3, "c"));
  auto third = Submit(large(1, "a"));
  EXPECT_EQ(ReasonOf(SubmitStatus(large(2, "b"))), "QUEUE_FULL");
  RunUntilIdle();
  for (const auto& sink : {first, second, third}) {
    EXPECT_EQ(sink->done(), absl::OkStatus());
  }
}

}  // namespace
}  // namespace alignsae
