// What runs long leaves room, and steps, to what is soon done.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::SizeIs;

// Two of the four KV slots are kept from what runs long.
class LongWorkTest : public SchedulerTest {
 protected:
  LongWorkTest() {
    options_.slots.kept = 2;
    options_.queue.max_tokens = 100000;
  }

  std::shared_ptr<RecordingSink> Add(Scheduler& scheduler, RequestSpec spec,
                                     std::string client) {
    auto sink = std::make_shared<RecordingSink>();
    spec.client = std::move(client);
    const auto handle = scheduler.Submit(std::move(spec), sink);
    EXPECT_OK(handle);
    return sink;
  }
  static RequestSpec Variants(int count, int tokens, Grouping grouping) {
    RequestSpec spec;
    spec.grouping = grouping;
    for (int i = 0; i < count; ++i) {
      spec.sequences.push_back(Generate({1, 2, 3}, tokens));
      spec.sequences.back().ignore_eos = true;
    }
    return spec;
  }
  static RequestSpec Sweep(int cells, int tokens = 40) {
    return Variants(cells, tokens, Grouping::kAsManyAsFit);
  }
  static RequestSpec Swap(int tokens = 3) {
    return Variants(2, tokens, Grouping::kTogether);
  }
  std::unique_ptr<Scheduler> Make() {
    return std::make_unique<Scheduler>(
        options_, &executor_, &clock_,
        SequenceEnv{TwoCheckpoints(), &FakeTokenBytes}, &observer_);
  }
  void EachRowTakes(absl::Duration time) {
    executor_.row_status = [this, time](const StepRow&) {
      clock_.Advance(time);
      return absl::OkStatus();
    };
  }
  static int SlotsHeld(const Scheduler& scheduler,
                       const std::shared_ptr<RecordingSink>& sink) {
    const std::vector<SchedulerCensus::Place> running =
        scheduler.TakeCensus().running;
    return static_cast<int>(std::count_if(
        running.begin(), running.end(),
        [&](const auto& place) { return place.sink == sink.get(); }));
  }
};

TEST_F(LongWorkTest, SweepsOfAnyNumberOfClientsLeaveTheKeptSlots) {
  const auto scheduler = Make();
  const auto first = Add(*scheduler, Sweep(3), "a");
  const auto second = Add(*scheduler, Sweep(3), "b");
  scheduler->RunOneStep();
  EXPECT_EQ(SlotsHeld(*scheduler, first) + SlotsHeld(*scheduler, second), 2);
  // A newcomer starts in the very next step, whoever it is.
  const auto swap = Add(*scheduler, Swap(), "new name");
  scheduler->RunOneStep();
  EXPECT_EQ(SlotsHeld(*scheduler, swap), 2);
  EXPECT_OK(scheduler->CheckInvariants());
  while (scheduler->HasWork()) scheduler->RunOneStep();
  for (const auto& sink : {first, second, swap}) {
    ASSERT_TRUE(sink->done().has_value());
    EXPECT_OK(*sink->done());
  }
}

TEST_F(LongWorkTest, ALongAnswerIsLongWhateverItsGrouping) {
  const auto scheduler = Make();
  const auto swap = Add(*scheduler, Variants(2, 129, Grouping::kTogether), "a");
  const auto other =
      Add(*scheduler, Variants(1, 129, Grouping::kSeparate), "b");
  scheduler->RunOneStep();
  EXPECT_EQ(SlotsHeld(*scheduler, swap), 2);
  EXPECT_EQ(SlotsHeld(*scheduler, other), 0);
}

TEST_F(LongWorkTest, ShortAnswersMayHaveAllSlots) {
  const auto scheduler = Make();
  const auto one = Add(*scheduler, Swap(), "a");
  const auto two = Add(*scheduler, Swap(), "b");
  scheduler->RunOneStep();
  EXPECT_EQ(SlotsHeld(*scheduler, one) + SlotsHeld(*scheduler, two), 4);
}

TEST_F(LongWorkTest, WhatNeedsAllSlotsTogetherGetsThemInTheEnd) {
  const auto scheduler = Make();
  const auto sweep = Add(*scheduler, Sweep(2, 5), "a");
  scheduler->RunOneStep();
  const auto all = Add(*scheduler, Variants(4, 129, Grouping::kTogether), "b");
  int steps = 0;
  while (SlotsHeld(*scheduler, all) == 0 && ++steps < 100) {
    Add(*scheduler, Swap(1), "c");
    scheduler->RunOneStep();
    EXPECT_OK(scheduler->CheckInvariants());
  }
  EXPECT_EQ(SlotsHeld(*scheduler, all), 4);
}

// Steps of two rows take 20 ms, those of all four 40: the swap has twice the
// time of each step with the sweep for itself, and the sweep goes on.
TEST_F(LongWorkTest, ASweepBesideAShortAnswerHasAThirdOfTheTime) {
  const auto scheduler = Make();
  EachRowTakes(absl::Milliseconds(10));
  Add(*scheduler, Sweep(2), "a");
  for (int i = 0; i < 8; ++i) scheduler->RunOneStep();
  EXPECT_THAT(last_step(), SizeIs(2));
  Add(*scheduler, Swap(28), "b");
  std::string steps;
  for (int i = 0; i < 14; ++i) {
    scheduler->RunOneStep();
    steps += last_step().size() == 4 ? 'S' : '.';
  }
  EXPECT_EQ(steps, "..S....S....S.");
  while (scheduler->HasWork()) scheduler->RunOneStep();
}

TEST_F(LongWorkTest, ASweepGoesOnAfterSoManyStepsWhateverTheyTook) {
  const auto scheduler = Make();
  EachRowTakes(absl::Milliseconds(10));
  Add(*scheduler, Sweep(2), "a");
  scheduler->RunOneStep();
  EachRowTakes(absl::ZeroDuration());
  Add(*scheduler, Swap(100), "b");
  int alone = 0;
  for (; last_step().size() < 4 && alone < 1000; ++alone) {
    scheduler->RunOneStep();
  }
  EXPECT_EQ(alone, StepShare::kMostPassed + 1);
  while (scheduler->HasWork()) scheduler->RunOneStep();
}

// What was short beside nothing else owes nothing to what comes.
TEST_F(LongWorkTest, ASweepThatComesBesideAShortAnswerStartsAtOnce) {
  const auto scheduler = Make();
  EachRowTakes(absl::Milliseconds(10));
  Add(*scheduler, Swap(100), "a");
  for (int i = 0; i < 3; ++i) scheduler->RunOneStep();
  Add(*scheduler, Sweep(2), "b");
  scheduler->RunOneStep();
  EXPECT_THAT(last_step(), SizeIs(4));
  while (scheduler->HasWork()) scheduler->RunOneStep();
}

TEST_F(LongWorkTest, ALongPromptGoesOnInPartsBesideAShortAnswer) {
  options_.max_prompt_tokens_per_step = 512;
  const auto scheduler = Make();
  EachRowTakes(absl::Milliseconds(10));
  Add(*scheduler, Swap(100), "a");
  scheduler->RunOneStep();
  std::vector<int32_t> prompt(600, 1);
  Add(*scheduler, One(Read(prompt, 0, {599})), "b");
  Add(*scheduler, One(Read(prompt, 0, {599})), "c");
  int fed = 0;
  int largest = 0;
  // Three rows take 30 ms: then three steps of 20 without the prompts.
  for (int i = 0; i < 16; ++i) {
    scheduler->RunOneStep();
    int tokens = 0;
    for (const StepRow& row : last_step()) {
      if (row.prompt_length == 600)
        tokens += static_cast<int>(row.tokens.size());
    }
    fed += tokens;
    largest = std::max(largest, tokens);
  }
  EXPECT_EQ(largest, 128);
  EXPECT_EQ(fed, 4 * 128);
  while (scheduler->HasWork()) scheduler->RunOneStep();
}

TEST_F(LongWorkTest, AShortRequestIsNotRefusedForTheWaitOfLongOnes) {
  const auto scheduler = Make();
  // Long sequences took a minute each, and more of them wait.
  for (int i = 0; i < 2; ++i) {
    Add(*scheduler, Sweep(1, 2), "a");
    scheduler->RunOneStep();
    clock_.Advance(absl::Minutes(1));
    while (scheduler->HasWork()) scheduler->RunOneStep();
  }
  Add(*scheduler, Sweep(5, 10), "a");
  scheduler->RunOneStep();
  RequestSpec swap = Swap();
  swap.deadline = clock_.Now() + absl::Seconds(5);
  Add(*scheduler, std::move(swap), "b");
  while (scheduler->HasWork()) scheduler->RunOneStep();
}

TEST_F(LongWorkTest, LongPromptsLeaveTheKeptSlotsToo) {
  const auto scheduler = Make();
  const std::vector<int32_t> prompt(kSmallPrompt + 1, 1);
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 4; ++i) {
    sinks.push_back(Add(*scheduler, One(Read(prompt, 0, {0})), "new"));
  }
  scheduler->RunOneStep();
  EXPECT_EQ(scheduler->TakeCensus().running.size(), 2u);
  const auto swap = Add(*scheduler, Swap(), "other");
  scheduler->RunOneStep();
  EXPECT_EQ(SlotsHeld(*scheduler, swap), 2);
  while (scheduler->HasWork()) scheduler->RunOneStep();
}

TEST_F(LongWorkTest, CellsOfSweepsLeavePlacesInTheQueue) {
  options_.queue.max_sequences = 10;
  options_.queue.max_large = 6;
  const auto scheduler = Make();
  const auto sweep = Add(*scheduler, Sweep(8), "a");
  scheduler->RunOneStep();  // Two run, six wait, and those cannot give way.
  RequestSpec another = Sweep(1);
  another.client = "b";
  EXPECT_THAT(
      scheduler->Submit(std::move(another), std::make_shared<RecordingSink>()),
      StatusIs(absl::StatusCode::kResourceExhausted,
               testing::StartsWith("queue: must hold at most 6 waiting "
                                   "sequences of sweeps")));
  for (const char* name : {"c", "d"}) Add(*scheduler, Swap(), name);
  while (scheduler->HasWork()) scheduler->RunOneStep();
}

TEST_F(LongWorkTest, WhoseTurnIsOverDoesNotOpenTheKeptSlotsToTheNext) {
  const auto scheduler = Make();
  // Its first request is its turn; the second would need a kept slot.
  RequestSpec one;
  one.sequences.push_back(Generate({1, 2, 3}, 3));
  const auto first = Add(*scheduler, std::move(one), "a");
  Add(*scheduler, Variants(3, kShortTokens + 1, Grouping::kTogether), "a");
  const auto sweep = Add(*scheduler, Sweep(4), "b");
  scheduler->RunOneStep();
  EXPECT_EQ(SlotsHeld(*scheduler, first), 1);
  EXPECT_EQ(SlotsHeld(*scheduler, sweep), 2);
}

}  // namespace
}  // namespace alignsae
