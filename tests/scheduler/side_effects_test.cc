// Side effects: what the meter makes of receipts, and a sequence that follows
// another one to compare it with, guards included.

#include "model/scheduler/side_effects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Three concepts at slots 4, 5 and 6, with the active means 2, 0 and 0.5.
Catalog ThreeConcepts() {
  Catalog catalog;
  CheckpointInfo& checkpoint = catalog.checkpoints.emplace_back();
  for (int i = 0; i < 3; ++i) {
    Concept& entry = checkpoint.concepts.emplace_back();
    entry.slot = 4 + i;
    entry.active_mean = i == 0 ? 2 : i == 1 ? 0 : 0.5;
  }
  return catalog;
}

Intervention To(int slot) {
  Intervention edit;
  edit.mode = InterventionMode::kSwap;
  edit.target_slot = slot;
  edit.measure = true;
  return edit;
}

InterventionReceipt ReceiptAt(int position, double ratio,
                              std::vector<float> before,
                              std::vector<float> after, int source = -1) {
  InterventionReceipt receipt;
  PositionEffect& effect = receipt.effects.emplace_back();
  effect.position = position;
  effect.residual_norm = 4;
  effect.change_norm = 4 * ratio;
  effect.source_slot = source;
  effect.slots_before = std::move(before);
  effect.slots_after = std::move(after);
  return receipt;
}

TEST(SideEffectMeterTest, KeepsTheLargestChangeOfWhatIsOffTarget) {
  const Catalog catalog = ThreeConcepts();
  const std::vector<Intervention> edits = {To(6)};
  SideEffectMeter meter(edits, {}, catalog);
  EXPECT_EQ(meter.effects().norm_ratio, std::nullopt);
  meter.Add({{ReceiptAt(3, 0.25, {1, 2, 0}, {0, 2.5, 9})}}, 0.5, 7);
  meter.Add({{ReceiptAt(8, 0.75, {1, 2, 0}, {5, 2.25, 9})}}, 1.5, 8);
  const SideEffects& effects = meter.effects();
  ASSERT_THAT(effects.off_target, SizeIs(2));  // Not the target.
  EXPECT_EQ(effects.off_target[0].column, 0);
  EXPECT_EQ(effects.off_target[0].position, 8);
  EXPECT_EQ(effects.off_target[0].change, 4);
  EXPECT_EQ(effects.off_target[0].relative, 2);  // In active means.
  EXPECT_EQ(effects.off_target[1].column, 1);
  EXPECT_EQ(effects.off_target[1].position, 3);
  EXPECT_EQ(effects.off_target[1].relative, 0.5);  // It has none.
  EXPECT_EQ(effects.norm_ratio, 0.75);
  EXPECT_THAT(effects.kl, ElementsAre(0.5, 1.5));
  EXPECT_FALSE(meter.stopped().has_value());
}

TEST(SideEffectMeterTest, WhatWasClearedAsTheTopOneIsNotOffTargetThere) {
  const Catalog catalog = ThreeConcepts();
  const std::vector<Intervention> edits = {To(6)};
  SideEffectMeter meter(edits, {}, catalog);
  meter.Add({{ReceiptAt(3, 0.25, {8, 2, 0}, {0, 2, 9}, 4)}}, std::nullopt, 7);
  EXPECT_EQ(meter.effects().off_target[0].relative, 0);
  meter.Add({{ReceiptAt(4, 0.25, {8, 2, 0}, {6, 2, 9}, 5)}}, std::nullopt, 7);
  EXPECT_EQ(meter.effects().off_target[0].relative, 1);
  EXPECT_THAT(meter.effects().kl, IsEmpty());
}

TEST(SideEffectMeterTest, EachLimitStopsAboveItAndTheFirstIsTold) {
  const Catalog catalog = ThreeConcepts();
  const std::vector<Intervention> edits = {To(6)};
  const auto stopped = [&](GuardLimits limits, double kl) {
    SideEffectMeter meter(edits, limits, catalog);
    meter.Add({{ReceiptAt(3, 0.25, {0, 0, 0}, {1, 0, 9})}}, kl, 7);
    EXPECT_EQ(meter.effects().kl.size(), meter.stopped() ? 0u : 1u);
    return meter.stopped();
  };
  EXPECT_FALSE(stopped({0.25, 0.5, 1}, 1).has_value());  // At each of them.
  auto stop = stopped({0.2, 0.4, 0.5}, 1);
  ASSERT_TRUE(stop.has_value());
  EXPECT_EQ(stop->kind, GuardKind::kNormRatio);
  EXPECT_EQ(stop->limit, 0.2);
  EXPECT_EQ(stop->value, 0.25);
  EXPECT_EQ(stop->position, 3);
  stop = stopped({std::nullopt, 0.4, 0.5}, 1);
  EXPECT_EQ(stop->kind, GuardKind::kOffTarget);
  EXPECT_EQ(stop->value, 0.5);
  EXPECT_EQ(stop->column, 0);
  stop = stopped({std::nullopt, std::nullopt, 0.5}, 1);
  EXPECT_EQ(stop->kind, GuardKind::kKl);
  EXPECT_EQ(stop->position, 7);
  // What is no number is within no limit.
  EXPECT_TRUE(stopped({std::nullopt, std::nullopt, 0.5},
                      std::numeric_limits<double>::quiet_NaN())
                  .has_value());
}

class FollowerTest : public SchedulerTest {
 protected:
  // A baseline, a steered arm that says something else, and its follower.
  RequestSpec Compared(GuardLimits limits = {}, int tokens = 4) {
    Intervention edit;
    edit.alpha = 0.5;
    edit.positions = {{1}, false};
    edit.measure = true;
    RequestSpec spec;
    spec.sequences.assign(3, Generate({5, 6}, tokens));
    SequenceSpec& steered = spec.sequences[1];
    steered.interventions = std::make_shared<std::vector<Intervention>>(
        std::vector<Intervention>{edit});
    steered.measure = true;
    steered.guard = limits;
    spec.sequences[2].follows = 1;
    spec.grouping = Grouping::kTogether;
    // The steered arm's tokens are others, and so is what its follower feeds.
    executor_.row_status = [this](const StepRow& row) {
      steers_ = !row.interventions->empty();
      return absl::OkStatus();
    };
    executor_.next_token = [this](const std::vector<int32_t>& ids) {
      const int32_t next = FakeStepExecutor::NextToken(ids);
      return steers_ ? next % 90 + 1 : next;
    };
    return spec;
  }

  bool steers_ = false;  // Of the row that the fake runs.
};

TEST_F(FollowerTest, ASteeredArmIsComparedAtEveryTokenAndItsFollowerIsSilent) {
  const auto sink = Submit(Compared());
  double kl = 0;
  executor_.kl = [&](const StepRow&) { return kl += 0.25; };
  RunUntilIdle();
  EXPECT_OK(*sink->done());
  ASSERT_THAT(sink->finished(), SizeIs(2));
  EXPECT_THAT(sink->ids(0),
              ElementsAreArray(FakeStepExecutor::Continue({5, 6}, 4)));
  EXPECT_NE(sink->ids(1), sink->ids(0));
  EXPECT_THAT(sink->ids(2), IsEmpty());
  for (const SequenceFinished& finished : sink->finished()) {
    EXPECT_EQ(finished.effects.has_value(), finished.sequence == 1);
    if (finished.sequence != 1) continue;
    EXPECT_THAT(finished.effects->kl, ElementsAre(0.25, 0.5, 0.75, 1));
    EXPECT_EQ(finished.effects->norm_ratio, 0.25);
  }
  EXPECT_THAT(observer_.first_tokens, SizeIs(2));  // Not the follower's.
  EXPECT_OK(scheduler_.CheckInvariants());
}

TEST_F(FollowerTest, AGuardEndsTheArmBeforeTheTokenAndTheOtherGoesOn) {
  const auto sink = Submit(Compared({.kl = 0.6}));
  double kl = 0;
  executor_.kl = [&](const StepRow&) { return kl += 0.25; };
  RunUntilIdle();
  EXPECT_OK(*sink->done());
  EXPECT_THAT(sink->ids(0), SizeIs(4));
  EXPECT_THAT(sink->ids(1), SizeIs(2));
  ASSERT_THAT(sink->finished(), SizeIs(2));
  const SequenceFinished steered = sink->finished()[0];
  EXPECT_EQ(steered.sequence, 1);
  EXPECT_EQ(steered.reason, FinishReason::kGuard);
  ASSERT_TRUE(steered.guard.has_value());
  EXPECT_EQ(steered.guard->kind, GuardKind::kKl);
  EXPECT_EQ(steered.guard->value, 0.75);
  EXPECT_EQ(steered.guard->position, 4);
  EXPECT_THAT(steered.effects->kl, ElementsAre(0.25, 0.5));
  EXPECT_EQ(sink->finished()[1].reason, FinishReason::kLength);
  EXPECT_FALSE(sink->finished()[1].guard.has_value());
  EXPECT_OK(scheduler_.CheckInvariants());
}

// The edit of a long prompt's second token passes the limit steps before the
// prompt ends.
TEST_F(FollowerTest, AGuardThatIsPassedInThePromptEndsTheArmAtItsEnd) {
  RequestSpec spec = Compared({.norm_ratio = 0.1});
  for (SequenceSpec& sequence : spec.sequences) sequence.prompt.resize(12, 7);
  const auto sink = Submit(std::move(spec));
  RunUntilIdle();
  EXPECT_OK(*sink->done());
  EXPECT_THAT(sink->ids(0), SizeIs(4));
  EXPECT_THAT(sink->ids(1), IsEmpty());
  ASSERT_THAT(sink->finished(), SizeIs(2));
  EXPECT_EQ(sink->finished()[0].guard->kind, GuardKind::kNormRatio);
  EXPECT_EQ(sink->finished()[0].guard->position, 1);
  EXPECT_OK(scheduler_.CheckInvariants());
}

TEST_F(FollowerTest, AnArmThatIsAbortedEndsItsFollower) {
  RequestSpec spec = Compared();
  spec.sequences[1].reading_checkpoint = 1;
  spec.sequences[1].abort_when =
      ReadingCondition{.checkpoint = 1, .column = 0, .above = -1};
  const auto sink = Submit(std::move(spec));
  RunUntilIdle();
  EXPECT_OK(*sink->done());
  EXPECT_THAT(sink->ids(1), SizeIs(1));
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kAborted);
  EXPECT_OK(scheduler_.CheckInvariants());
}

// A baseline and three pairs, on four slots: what starts is whole pairs.
TEST_F(FollowerTest, AFollowerStartsWithItsLeaderInPartsToo) {
  const RequestSpec compared = Compared();
  RequestSpec spec;
  spec.grouping = Grouping::kAsManyAsFit;
  spec.sequences.push_back(compared.sequences[0]);
  for (int pair = 0; pair < 3; ++pair) {
    spec.sequences.push_back(compared.sequences[1]);
    spec.sequences.push_back(compared.sequences[2]);
    spec.sequences.back().follows = static_cast<int>(spec.sequences.size()) - 2;
  }
  executor_.kl = [](const StepRow&) { return 0.25; };
  const auto sink = Submit(std::move(spec));
  const StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.admitted, 3);  // The fourth would be a leader alone.
  EXPECT_OK(scheduler_.CheckInvariants());
  RunUntilIdle();
  EXPECT_OK(*sink->done());
  ASSERT_THAT(sink->finished(), SizeIs(4));
  for (const SequenceFinished& finished : sink->finished()) {
    EXPECT_NE(finished.sequence, 2);
    if (finished.sequence == 0) continue;
    EXPECT_THAT(finished.effects->kl, ElementsAre(0.25, 0.25, 0.25, 0.25));
    EXPECT_EQ(sink->ids(finished.sequence), sink->ids(1));
  }
  EXPECT_OK(scheduler_.CheckInvariants());
}

TEST_F(FollowerTest, ACancelEndsAllThreeAndFreesTheirSlots) {
  const auto sink = Submit(Compared({}, 40));
  scheduler_.RunOneStep();
  scheduler_.RunOneStep();
  handles_.back().Cancel();
  const StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.kv_slots_in_use, 0);
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(sink->finished(), SizeIs(2));
  EXPECT_OK(scheduler_.CheckInvariants());
}

}  // namespace
}  // namespace alignsae
