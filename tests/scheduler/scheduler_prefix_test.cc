// Prompts that begin alike, in a whole scheduler: what is computed, that
// answers stay the same, and that nobody pays for what is kept. The fake
// executor fails the test where a cache holds what the row must not build on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class SchedulerPrefixTest : public SchedulerTest {
 protected:
  SchedulerPrefixTest() : SchedulerTest(/*prefix_cache_tokens=*/1000) {}

  static std::vector<int32_t> Prompt(int length, int first = 1) {
    std::vector<int32_t> prompt(length);
    std::iota(prompt.begin(), prompt.end(), first);
    return prompt;
  }
  static SequenceSpec Edited(SequenceSpec spec, std::vector<int> prompt,
                             bool generated = false) {
    Intervention edit;
    edit.checkpoint = 1;
    edit.positions = {std::move(prompt), generated};
    spec.interventions =
        std::make_shared<const std::vector<Intervention>>(1, edit);
    return spec;
  }
  static RequestSpec InScope(SequenceSpec sequence, const char* scope) {
    RequestSpec spec = One(std::move(sequence));
    spec.prefix_scope = scope;
    return spec;
  }

  // Runs it to its end: how many tokens of its prompt were taken.
  int Taken(RequestSpec spec) {
    const std::vector<SequenceSpec> asked = spec.sequences;
    const auto sink = Submit(std::move(spec));
    RunUntilIdle();
    EXPECT_OK(sink->done().value());
    EXPECT_OK(scheduler_.CheckInvariants());
    for (size_t i = 0; i < asked.size(); ++i) {
      const int index = static_cast<int>(i);
      EXPECT_EQ(
          sink->ids(index),
          FakeStepExecutor::Continue(asked[i].prompt, asked[i].max_new_tokens));
    }
    return sink->finished().front().taken_tokens;
  }
  int Taken(SequenceSpec sequence) { return Taken(One(std::move(sequence))); }
};

TEST_F(SchedulerPrefixTest, TheSamePromptAgainIsItsLastToken) {
  EXPECT_EQ(Taken(Generate(Prompt(20), 3)), 0);
  Submit(Generate(Prompt(20), 3));
  const StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.prompt_tokens, 1);
  EXPECT_EQ(report.generated_tokens, 1);
  EXPECT_EQ(report.prefix.hits, 1);
  EXPECT_EQ(report.prefix.tokens_taken, 19);
  EXPECT_EQ(last_step()[0].start, 19);
  RunUntilIdle();
}

TEST_F(SchedulerPrefixTest, OtherInterventionsShareWhatIsBeforeThem) {
  EXPECT_EQ(Taken(Edited(Generate(Prompt(20), 3), {19})), 0);
  EXPECT_EQ(Taken(Generate(Prompt(20), 3)), 19);
  EXPECT_EQ(Taken(Edited(Generate(Prompt(20), 3), {19}, true)), 19);
  EXPECT_EQ(Taken(Edited(Generate(Prompt(20), 3), {12})), 12);
  ASSERT_THAT(observer_.steered, SizeIs(3));
  EXPECT_EQ(observer_.steered[2][0].positions_applied, 1);
  EXPECT_EQ(observer_.steered[2][0].effects[0].position, 12);
}

TEST_F(SchedulerPrefixTest, NothingBehindAnEditIsTaken) {
  EXPECT_EQ(Taken(Edited(Generate(Prompt(20), 3), {10})), 0);
  EXPECT_EQ(Taken(Generate(Prompt(20), 3)), 10);
  EXPECT_EQ(Taken(Edited(Generate(Prompt(20), 3), {0})), 0);
}

TEST_F(SchedulerPrefixTest, AConversationsTurnTakesTheAnswerToo) {
  std::vector<int32_t> turn = Prompt(12);
  EXPECT_EQ(Taken(Generate(turn, 6)), 0);
  const std::vector<int32_t> answer = FakeStepExecutor::Continue(turn, 6);
  turn.insert(turn.end(), answer.begin(), answer.end());
  turn.insert(turn.end(), {5, 6, 7});
  // The last token of the answer was never fed.
  EXPECT_EQ(Taken(Generate(turn, 2)), 12 + 5);
}

TEST_F(SchedulerPrefixTest, AnEditedAnswerIsNotTaken) {
  std::vector<int32_t> turn = Prompt(12);
  EXPECT_EQ(Taken(Edited(Generate(turn, 6), {}, true)), 0);
  const std::vector<int32_t> answer = FakeStepExecutor::Continue(turn, 6);
  turn.insert(turn.end(), answer.begin(), answer.end());
  EXPECT_EQ(Taken(Generate(turn, 2)), 12);
}

TEST_F(SchedulerPrefixTest, ReadoutsTakeWhatWentAsFar) {
  EXPECT_EQ(Taken(Read(Prompt(20), 0, {19})), 0);
  EXPECT_EQ(Taken(Read(Prompt(20), 1, {19})), 0);  // Two blocks more.
  EXPECT_EQ(Taken(Read(Prompt(20), 0, {19})), 19);
  EXPECT_EQ(Taken(Generate(Prompt(20), 2)), 0);
  EXPECT_EQ(Taken(Read(Prompt(20), 1, {19})), 19);
  EXPECT_EQ(Taken(Read(Prompt(20), 1, {9, 19})), 9);
  ASSERT_FALSE(observer_.readings.empty());
  EXPECT_EQ(observer_.readings.back().position, 19);
}

TEST_F(SchedulerPrefixTest, AScoredPromptIsComputed) {
  EXPECT_EQ(Taken(Generate(Prompt(20), 2)), 0);
  SequenceSpec scored = Generate(Prompt(20), 2);
  scored.prompt_logprobs = 1;
  const auto sink = Submit(scored);
  RunUntilIdle();
  size_t tokens = 0;
  for (const PromptEvent& event : sink->prompts()) {
    tokens += event.tokens.size();
  }
  EXPECT_EQ(tokens, 20u);
  EXPECT_EQ(sink->finished()[0].taken_tokens, 0);
}

TEST_F(SchedulerPrefixTest, ScopesTakeNothingFromEachOther) {
  EXPECT_EQ(Taken(InScope(Generate(Prompt(20), 2), "anna")), 0);
  EXPECT_EQ(Taken(InScope(Generate(Prompt(20), 2), "ben")), 0);
  EXPECT_EQ(Taken(InScope(Generate(Prompt(20), 2), "anna")), 19);
}

TEST_F(SchedulerPrefixTest, TakesFromWhatRuns) {
  const auto first = Submit(Generate(Prompt(20), 9));
  scheduler_.RunOneStep();  // Eight tokens of the prompt.
  const auto second = Submit(Generate(Prompt(20), 2));
  const StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.prefix.tokens_taken, 8);
  ASSERT_THAT(executor_.copies, SizeIs(1));
  EXPECT_NE(executor_.copies[0].from, executor_.copies[0].to);
  EXPECT_EQ(executor_.copies[0].layers, 4);
  RunUntilIdle();
  EXPECT_EQ(first->ids(), FakeStepExecutor::Continue(Prompt(20), 9));
  EXPECT_EQ(second->ids(), FakeStepExecutor::Continue(Prompt(20), 2));
}

TEST_F(SchedulerPrefixTest, VariantsTakeItOnce) {
  EXPECT_EQ(Taken(Generate(Prompt(20), 2)), 0);
  RequestSpec arms;
  arms.grouping = Grouping::kTogether;
  arms.sequences = {Generate(Prompt(20), 3),
                    Edited(Generate(Prompt(20), 3), {19})};
  const auto sink = Submit(arms);
  const StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.prompt_tokens, 2);  // The last one, of each.
  EXPECT_EQ(report.prefix.tokens_taken, 19);
  RunUntilIdle();
  for (int arm : {0, 1}) {
    EXPECT_EQ(sink->ids(arm), FakeStepExecutor::Continue(Prompt(20), 3));
  }
  EXPECT_EQ(Taken(arms), 19);
}

// Cells of a sweep that start later take the prompt from those that run.
TEST_F(SchedulerPrefixTest, LaterCellsTakeThePromptOfTheFirst) {
  RequestSpec sweep;
  sweep.grouping = Grouping::kAsManyAsFit;
  for (int i = 0; i < 6; ++i) {
    sweep.sequences.push_back(Edited(Generate(Prompt(20), 2 + i), {19}, true));
  }
  const auto sink = Submit(sweep);
  RunUntilIdle();
  int taken = 0;
  for (const SequenceFinished& finished : sink->finished()) {
    taken += finished.taken_tokens;
  }
  EXPECT_EQ(taken, 2 * 19);
}

TEST_F(SchedulerPrefixTest, NobodyWaitsForWhatIsKept) {
  for (int i = 0; i < kSlots; ++i) Taken(Generate(Prompt(20, 1 + 20 * i), 1));
  for (int i = 0; i < kSlots; ++i) Submit(Generate(Prompt(9, 3 + 10 * i), 1));
  const StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.admitted, kSlots);
  EXPECT_EQ(report.prefix.evictions, kSlots);
  RunUntilIdle();
}

TEST_F(SchedulerPrefixTest, WhatCannotBeCopiedIsComputed) {
  const auto running = Submit(Generate(Prompt(20), 20));
  for (int i = 0; i < 4; ++i) scheduler_.RunOneStep();
  executor_.copy_kv = absl::InternalError("broken");
  const auto a = Submit(Generate(Prompt(20), 2));
  const auto b = Submit(Generate(Prompt(20), 2));
  RunUntilIdle();
  for (const auto& sink : {a, b}) {
    EXPECT_EQ(sink->ids(), FakeStepExecutor::Continue(Prompt(20), 2));
    EXPECT_EQ(sink->finished()[0].taken_tokens, 0);
  }
}

// Turns count what is computed: where its prompts are taken, a client is given
// more of them in one turn.
TEST_F(SchedulerPrefixTest, TurnsCountWhatIsComputed) {
  const auto request = [](const char* origin, std::vector<int32_t> prompt) {
    RequestSpec spec = One(Generate(std::move(prompt), 1));
    spec.origin = origin;
    return spec;
  };
  Taken(request("a", Prompt(20)));
  // One slot keeps it, the others are taken.
  for (int i = 1; i < kSlots; ++i) Submit(Generate({50 + i}, 6));
  scheduler_.RunOneStep();
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 2; ++i) {
    sinks.push_back(Submit(request("a", Prompt(20))));
    sinks.push_back(Submit(request("b", Prompt(40, 40))));
  }
  handles_[1].Cancel();
  EXPECT_EQ(scheduler_.RunOneStep().admitted, 2);
  // 2 * 21 tokens are more than the 41 of a turn, 2 * 2 are not.
  EXPECT_TRUE(sinks[0]->done().has_value());
  EXPECT_TRUE(sinks[2]->done().has_value());
  RunUntilIdle();
}

}  // namespace
}  // namespace alignsae
