// How requests end before their answer is complete: cancellation, deadlines,
// overload, readers that do not read, bad rows, shutdown.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/base/status_payload.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SchedulerEndingTest : public SchedulerTest {
 protected:
  void TearDown() override {
    RunUntilIdle();
    EXPECT_OK(scheduler_.CheckInvariants());
    EXPECT_FALSE(scheduler_.HasWork());
    // No lease was lost, however things ended.
    EXPECT_EQ(scheduler_.RunOneStep().kv_slots_in_use, 0);
  }
  absl::Status SubmitStatus(RequestSpec spec) {
    return scheduler_.Submit(std::move(spec), std::make_shared<RecordingSink>())
        .status();
  }
};

TEST_F(SchedulerEndingTest, CancelFreesTheSlotBeforeTheNextStep) {
  auto sink = Submit(Generate({1}, 50));
  scheduler_.RunOneStep();
  scheduler_.RunOneStep();
  handles_[0].Cancel();
  clock_.Advance(absl::Milliseconds(3));
  const StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.rows, 0);
  EXPECT_EQ(report.kv_slots_in_use, 0);
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kCancelled);
  EXPECT_EQ(sink->finished()[0].generated_tokens, 2);
  EXPECT_THAT(observer_.freed, ElementsAre(absl::Milliseconds(3)));
}

TEST_F(SchedulerEndingTest, CancelWhileWaitingNeverRuns) {
  auto sink = Submit(Generate({1}, 50));
  handles_[0].Cancel();
  RunUntilIdle();
  EXPECT_EQ(step_count(), 0u);
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(sink->finished(), IsEmpty());
  EXPECT_THAT(observer_.freed, IsEmpty());
}

// gRPC cancels a call whose deadline has passed.
TEST_F(SchedulerEndingTest, ADeadlineGoesBeforeACancel) {
  RequestSpec spec = One(Generate({1}, 50));
  spec.deadline = clock_.Now() + absl::Seconds(1);
  auto sink = Submit(spec);
  scheduler_.RunOneStep();
  clock_.Advance(absl::Seconds(1));
  handles_[0].Cancel();
  RunUntilIdle();
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SchedulerEndingTest, CancelAfterTheEndChangesNothing) {
  auto sink = Submit(Generate({1}, 1));
  RunUntilIdle();
  handles_[0].Cancel();
  RunUntilIdle();
  EXPECT_EQ(sink->done(), absl::OkStatus());
}

TEST_F(SchedulerEndingTest, CancelEndsWaitingAndRunningPartsOfABatch) {
  RequestSpec batch;
  for (int i = 0; i < kSlots + 2; ++i) {
    batch.sequences.push_back(Generate({i}, 9));
  }
  auto sink = Submit(batch);
  scheduler_.RunOneStep();
  handles_[0].Cancel();
  EXPECT_EQ(scheduler_.RunOneStep().rows, 0);
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(sink->finished(), SizeIs(kSlots));  // Those that ran.
  EXPECT_EQ(observer_.queue, 0);
}

TEST_F(SchedulerEndingTest, ARequestThatExpiresInTheQueueNeverRuns) {
  for (int i = 0; i < kSlots; ++i) Submit(Generate({i}, 9));
  scheduler_.RunOneStep();
  RequestSpec spec = One(Generate({77}, 1));
  spec.deadline = clock_.Now() + absl::Seconds(1);
  auto sink = Submit(spec);
  clock_.Advance(absl::Seconds(1));
  RunUntilIdle();
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kDeadlineExceeded);
  for (const std::vector<StepRow>& step : executor_.steps) {
    for (const StepRow& row : step) EXPECT_NE(row.tokens[0], 77);
  }
  EXPECT_THAT(observer_.rejected, ElementsAre(RejectReason::kDeadline));
}

TEST_F(SchedulerEndingTest, ADeadlineBetweenTokensEndsTheAnswer) {
  RequestSpec spec = One(Generate({1}, 50));
  spec.deadline = clock_.Now() + absl::Seconds(1);
  auto sink = Submit(spec);
  scheduler_.RunOneStep();
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(scheduler_.RunOneStep().rows, 0);
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(sink->ids(), SizeIs(1));
}

TEST_F(SchedulerEndingTest, AWaitThatTookTheTimeToRunEndsARequest) {
  executor_.before_step = [this] { clock_.Advance(absl::Seconds(1)); };
  Submit(Generate({1}, 4));
  RunUntilIdle();  // A sequence takes four seconds.
  for (int i = 0; i < kSlots; ++i) Submit(Generate({i}, 12));
  scheduler_.RunOneStep();
  RequestSpec spec = One(Generate({1}, 4));
  spec.deadline = clock_.Now() + absl::Seconds(10);
  auto hopeless = Submit(spec);
  spec.deadline = clock_.Now() + absl::Seconds(30);
  auto patient = Submit(spec);
  for (int i = 0; i < 8; ++i) scheduler_.RunOneStep();
  ASSERT_TRUE(hopeless->done().has_value());
  EXPECT_EQ(hopeless->done()->code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(*hopeless->done()), "DEADLINE");
  EXPECT_THAT(observer_.rejected, ElementsAre(RejectReason::kDeadline));
  RunUntilIdle();
  EXPECT_EQ(patient->done(), absl::OkStatus());
}

TEST_F(SchedulerEndingTest, AReaderThatStopsReadingIsEnded) {
  auto sink = Submit(Generate({1}, 50));
  scheduler_.RunOneStep();
  sink->stalled = true;
  EXPECT_EQ(scheduler_.RunOneStep().rows, 0);
  EXPECT_THAT(*sink->done(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "stream: must be read while it is written"));
  EXPECT_EQ(ReasonOf(*sink->done()), "SLOW_READER");
}

TEST_F(SchedulerEndingTest, AReaderWhoseQueueIsFullIsEnded) {
  auto sink = Submit(Generate({1}, 50));
  auto neighbour = Submit(Generate({2}, 6));
  sink->accept_tokens = 3;
  RunUntilIdle();
  EXPECT_EQ(ReasonOf(*sink->done()), "SLOW_READER");
  EXPECT_THAT(sink->ids(), SizeIs(3));
  EXPECT_EQ(neighbour->ids(), FakeStepExecutor::Continue({2}, 6));
}

// What still waits of it must not start.
TEST_F(SchedulerEndingTest, AReaderThatStopsEndsTheWaitingPartToo) {
  RequestSpec batch;
  for (int i = 0; i < kSlots + 2; ++i) {
    batch.sequences.push_back(Generate({i}, 9));
  }
  auto sink = Submit(batch);
  scheduler_.RunOneStep();
  sink->stalled = true;
  EXPECT_EQ(scheduler_.RunOneStep().rows, 0);
  EXPECT_THAT(sink->finished(), SizeIs(kSlots));
  EXPECT_EQ(ReasonOf(*sink->done()), "SLOW_READER");
  EXPECT_EQ(observer_.queue, 0);
}

// Says whether the scheduler calls itself idle while it tells of the end.
class IdleAtTheEnd : public RecordingSink {
 public:
  bool Deliver(RequestEvent event) override {
    if (std::holds_alternative<RequestDone>(event)) {
      idle = scheduler->WaitUntilIdle(absl::ZeroDuration());
    }
    return RecordingSink::Deliver(std::move(event));
  }
  Scheduler* scheduler = nullptr;
  std::optional<bool> idle;
};

TEST_F(SchedulerEndingTest, IsNotIdleBeforeEveryEndIsTold) {
  auto cancelled = std::make_shared<IdleAtTheEnd>();
  cancelled->scheduler = &scheduler_;
  const auto handle = scheduler_.Submit(One(Generate({1}, 5)), cancelled);
  ASSERT_OK(handle);
  handle->Cancel();
  RunUntilIdle();
  EXPECT_EQ(cancelled->idle, false);
  EXPECT_TRUE(scheduler_.WaitUntilIdle(absl::ZeroDuration()));
}

TEST_F(SchedulerEndingTest, IsNotIdleWhileAStepRuns) {
  std::vector<bool> idle;
  executor_.before_step = [&] {
    idle.push_back(scheduler_.WaitUntilIdle(absl::ZeroDuration()));
  };
  Submit(Generate({1}, 2));
  RunUntilIdle();
  EXPECT_THAT(idle, ElementsAre(false, false));
}

TEST_F(SchedulerEndingTest, NonFiniteLogitsEndThatRequestOnly) {
  executor_.row_status = [](const StepRow& row) {
    return !row.interventions->empty() && row.start >= 3
               ? absl::OutOfRangeError("interventions: too strong")
               : absl::OkStatus();
  };
  SequenceSpec steered = Generate({1, 2}, 9);
  steered.interventions = std::make_shared<std::vector<Intervention>>(1);
  RequestSpec arms;
  arms.grouping = Grouping::kTogether;
  arms.sequences = {Generate({1, 2}, 9), steered};
  auto sink = Submit(arms);
  auto neighbour = Submit(Generate({2}, 6));
  RunUntilIdle();
  EXPECT_THAT(*sink->done(), StatusIs(absl::StatusCode::kOutOfRange,
                                      "interventions: too strong"));
  EXPECT_THAT(sink->finished(), SizeIs(2));  // Both arms end.
  EXPECT_EQ(neighbour->ids(), FakeStepExecutor::Continue({2}, 6));
  EXPECT_EQ(neighbour->done(), absl::OkStatus());
}

TEST_F(SchedulerEndingTest, AFailedStepEndsEveryRequestInIt) {
  executor_.row_status = [](const StepRow&) {
    return absl::InternalError("out of memory");
  };
  auto a = Submit(Generate({1}, 9));
  auto b = Submit(Read({1}, 0, {0}));
  RunUntilIdle();
  EXPECT_EQ(a->done()->code(), absl::StatusCode::kInternal);
  EXPECT_EQ(b->done()->code(), absl::StatusCode::kInternal);
}

TEST_F(SchedulerEndingTest, DrainingRefusesNewRequestsAndFinishesOldOnes) {
  auto sink = Submit(Generate({1}, 3));
  scheduler_.RefuseNew();
  const absl::Status refused = SubmitStatus(One(Generate({1}, 1)));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable,
                                "server: is shutting down"));
  EXPECT_EQ(ReasonOf(refused), "DRAINING");
  EXPECT_FALSE(scheduler_.WaitUntilIdle(absl::ZeroDuration()));
  RunUntilIdle();
  EXPECT_EQ(sink->done(), absl::OkStatus());
  EXPECT_TRUE(scheduler_.WaitUntilIdle(absl::ZeroDuration()));
}

TEST_F(SchedulerEndingTest, ADeadlineEndsAnAnswerAtItsInstant) {
  RequestSpec spec = One(Generate({1}, 50));
  spec.deadline = clock_.Now() + absl::Seconds(1);
  auto sink = Submit(spec);
  scheduler_.RunOneStep();
  clock_.Advance(absl::Seconds(1) - absl::Nanoseconds(1));
  EXPECT_EQ(scheduler_.RunOneStep().rows, 1);
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(scheduler_.RunOneStep().rows, 0);
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(SchedulerEndingTest, AStepThatGivesTooLittleEndsWhatItOwes) {
  auto first = Submit(Generate({1}, 2));
  auto second = Submit(Generate({2}, 2));
  executor_.lose_results = 1;
  RunUntilIdle();
  EXPECT_EQ(first->done()->code(), absl::StatusCode::kInternal);
  EXPECT_THAT(*second->done(), StatusIs(absl::StatusCode::kInternal,
                                        "step: results are missing"));
  EXPECT_THAT(first->ids(), SizeIs(1));
  EXPECT_THAT(second->ids(), IsEmpty());
}

// What has begun to run was not refused.
TEST_F(SchedulerEndingTest, ABatchThatExpiresHalfwayIsNotCountedAsRefused) {
  RequestSpec batch;
  for (int i = 0; i < kSlots + 1; ++i) {
    batch.sequences.push_back(Generate({i}, 9));
  }
  batch.deadline = clock_.Now() + absl::Seconds(1);
  auto sink = Submit(batch);
  scheduler_.RunOneStep();
  clock_.Advance(absl::Seconds(1));
  RunUntilIdle();
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(observer_.rejected, IsEmpty());
}

// A clock that jumps by an hour whenever somebody looks.
class JumpingClock : public Clock {
 public:
  absl::Time Now() const override {
    return absl::FromUnixSeconds(1000) + ++looks * absl::Hours(1);
  }
  mutable int looks = 0;
};

TEST_F(SchedulerEndingTest, WaitsByTheInjectedClock) {
  JumpingClock clock;
  Scheduler scheduler(options_, &executor_, &clock,
                      SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                      &observer_);
  auto sink = std::make_shared<RecordingSink>();
  ASSERT_OK(scheduler.Submit(One(Generate({1}, 1)), sink));
  const int before = clock.looks;
  EXPECT_FALSE(scheduler.WaitUntilIdle(absl::Milliseconds(10)));
  EXPECT_EQ(clock.looks, before + 2);  // It does not wait for real.
  scheduler.RunOneStep();
  EXPECT_TRUE(scheduler.WaitUntilIdle(absl::Milliseconds(10)));
}

TEST_F(SchedulerEndingTest, EndAllEndsWhatRunsAndWhatWaits) {
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < kSlots + 1; ++i)
    sinks.push_back(Submit(Generate({i}, 9)));
  scheduler_.RunOneStep();
  scheduler_.EndAll();
  EXPECT_TRUE(scheduler_.WaitForWork());
  EXPECT_EQ(scheduler_.RunOneStep().rows, 0);
  for (const auto& sink : sinks) {
    EXPECT_EQ(sink->done()->code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_THAT(sinks[0]->finished(), SizeIs(1));
  EXPECT_EQ(sinks[0]->finished()[0].reason, FinishReason::kCancelled);
  EXPECT_THAT(observer_.freed, IsEmpty());  // Nobody cancelled.
  EXPECT_FALSE(scheduler_.WaitForWork());
}

}  // namespace
}  // namespace alignsae
