// Variants of one prompt, and turns between clients, in a whole scheduler.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SchedulerForkTest : public SchedulerTest {
 protected:
  // A baseline and variants that change the last position at site 3; variant i
  // generates `tokens[i]`.
  static RequestSpec Variants(Grouping grouping, int prompt,
                              const std::vector<int>& tokens) {
    RequestSpec spec;
    spec.grouping = grouping;
    for (size_t i = 0; i < tokens.size(); ++i) {
      SequenceSpec sequence =
          Generate(std::vector<int32_t>(prompt, 7), tokens[i]);
      if (i > 0) {
        Intervention edit;
        edit.checkpoint = 1;
        edit.alpha = static_cast<double>(i);
        edit.positions.prompt = {prompt - 1};
        sequence.interventions =
            std::make_shared<const std::vector<Intervention>>(1, edit);
      }
      spec.sequences.push_back(std::move(sequence));
    }
    return spec;
  }
};

TEST_F(SchedulerForkTest, VariantsShareTheSlotOfOneOfThem) {
  Submit(Variants(Grouping::kTogether, 6, {3, 3, 3}));
  const StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.forks, 2);
  EXPECT_EQ(report.prompt_tokens, 5 + 3);
  EXPECT_EQ(report.prefix_tokens_saved, 2 * 5);
  ASSERT_THAT(last_step(), SizeIs(3));
  std::set<int> own;
  for (const StepRow& row : last_step()) {
    own.insert(row.kv_slot);
    ASSERT_TRUE(row.fork.has_value());
    EXPECT_EQ(row.fork->kv_slot, last_step()[0].kv_slot);
    EXPECT_EQ(row.fork->site, 3);
    EXPECT_EQ(row.fork->position, 5);
    EXPECT_EQ(row.fork->length, 6);
  }
  EXPECT_THAT(own, SizeIs(3));
}

TEST_F(SchedulerForkTest, EachChunkSavesWhatItShares) {
  Submit(Variants(Grouping::kTogether, 12, {3, 3, 3}));
  StepReport report = scheduler_.RunOneStep();  // 8 tokens of a step's 8.
  EXPECT_EQ(report.prompt_tokens, 8);
  EXPECT_EQ(report.prefix_tokens_saved, 2 * 8);
  report = scheduler_.RunOneStep();  // 3 more, and the last one of each.
  EXPECT_EQ(report.prompt_tokens, 3 + 3);
  EXPECT_EQ(report.prefix_tokens_saved, 2 * 3);
  report = scheduler_.RunOneStep();
  EXPECT_EQ(report.prompt_tokens, 0);
  EXPECT_EQ(report.prefix_tokens_saved, 0);
  EXPECT_EQ(report.forks, 0);
}

TEST_F(SchedulerForkTest, RequestOfOneSequenceDoesNotFork) {
  Submit(Generate({1, 2, 3}, 2));
  EXPECT_EQ(scheduler_.RunOneStep().forks, 0);
  EXPECT_FALSE(last_step()[0].fork.has_value());
}

TEST_F(SchedulerForkTest, SharedSlotIsHeldUntilTheLastVariantEnds) {
  Submit(Variants(Grouping::kTogether, 4, {1, 3, 3}));
  auto waiting = Submit(Variants(Grouping::kTogether, 2, {1, 1}));
  scheduler_.RunOneStep();  // The baseline, whose slot is shared, ends.
  EXPECT_EQ(scheduler_.RunOneStep().kv_slots_in_use, 3);
  EXPECT_THAT(last_step(), SizeIs(2));  // One slot is free: not enough for two.
  // The last two end, and so does the lease.
  EXPECT_EQ(scheduler_.RunOneStep().kv_slots_in_use, 0);
  EXPECT_EQ(scheduler_.RunOneStep().admitted, 2);
  EXPECT_EQ(waiting->done(), absl::OkStatus());
}

TEST_F(SchedulerForkTest, CancelFreesAllSlotsOfAForkWithinOneStep) {
  auto sink = Submit(Variants(Grouping::kTogether, 4, {9, 9, 9}));
  scheduler_.RunOneStep();
  handles_.back().Cancel();
  EXPECT_EQ(scheduler_.RunOneStep().kv_slots_in_use, 0);
  EXPECT_THAT(*sink->done(),
              StatusIs(absl::StatusCode::kCancelled, testing::_));
}

TEST_F(SchedulerForkTest, ReadingsOfASharedPromptAreToldOnce) {
  Submit(Variants(Grouping::kTogether, 4, {1, 2, 1}));
  RunUntilIdle();
  EXPECT_THAT(observer_.readings, SizeIs(2));  // One for each checkpoint.
}

TEST_F(SchedulerForkTest, SweepTakesTheSlotsThatAreFree) {
  Submit(Generate({1}, 3));
  auto sweep =
      Submit(Variants(Grouping::kAsManyAsFit, 5, {2, 2, 2, 2, 2, 2, 2}));
  StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.admitted, 1 + 3);
  EXPECT_EQ(report.forks, 2);
  RunUntilIdle();
  EXPECT_EQ(sweep->done(), absl::OkStatus());
  ASSERT_THAT(sweep->finished(), SizeIs(7));
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(sweep->ids(i), FakeStepExecutor::Continue({7, 7, 7, 7, 7}, 2));
  }
}

TEST_F(SchedulerForkTest, ManyVariantsOfOnePositionPassTheBudgetAlone) {
  // 4 variants of 9 positions; the budget of a step is 8.
  RequestSpec spec = Variants(Grouping::kTogether, 9, {1, 1, 1, 1});
  for (SequenceSpec& sequence : spec.sequences) {
    Intervention all;
    all.checkpoint = 0;
    for (int i = 0; i < 9; ++i) all.positions.prompt.push_back(i);
    sequence.interventions =
        std::make_shared<const std::vector<Intervention>>(1, all);
  }
  auto sink = Submit(spec);
  RunUntilIdle();
  EXPECT_EQ(sink->done(), absl::OkStatus());
  for (const std::vector<StepRow>& step : executor_.steps) {
    EXPECT_LE(step[0].tokens.size(), 2u);
  }
}

TEST_F(SchedulerForkTest, SlotsGoRoundBetweenClients) {
  std::vector<std::shared_ptr<RecordingSink>> of_a;
  for (int i = 0; i < 6; ++i) {
    RequestSpec spec = One(Generate({i}, 1));
    spec.client = "a";
    of_a.push_back(Submit(spec));
  }
  RequestSpec spec = One(Generate({50}, 1));
  spec.client = "b";
  auto of_b = Submit(spec);
  scheduler_.RunOneStep();  // Four slots: three of a's and b's.
  EXPECT_TRUE(of_b->done().has_value());
  EXPECT_TRUE(of_a[2]->done().has_value());
  EXPECT_FALSE(of_a[3]->done().has_value());
}

TEST_F(SchedulerForkTest, RequestThatGivesWayIsToldSo) {
  std::vector<std::shared_ptr<RecordingSink>> of_a;
  for (int i = 0; i < kMaxQueued; ++i) {
    RequestSpec spec = One(Generate({i}, 1));
    spec.client = "a";
    of_a.push_back(Submit(spec));
  }
  RequestSpec spec = One(Generate({50}, 1));
  spec.client = "b";
  auto of_b = Submit(spec);
  RunUntilIdle();
  EXPECT_EQ(of_b->done(), absl::OkStatus());
  EXPECT_THAT(*of_a.back()->done(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("a client that has fewer requests waiting")));
  EXPECT_EQ(of_a.front()->done(), absl::OkStatus());
  EXPECT_THAT(observer_.rejected, ElementsAre(RejectReason::kQueueFull));
}

}  // namespace
}  // namespace alignsae
