#include "model/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <vector>

#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SchedulerTest, GeneratesUntilTheTokenLimit) {
  auto sink = Submit(Generate({1, 2, 3}, 4));
  RunUntilIdle();
  EXPECT_EQ(sink->ids(), FakeStepExecutor::Continue({1, 2, 3}, 4));
  ASSERT_THAT(sink->finished(), SizeIs(1));
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kLength);
  EXPECT_EQ(sink->finished()[0].prompt_tokens, 3);
  EXPECT_EQ(sink->finished()[0].generated_tokens, 4);
  EXPECT_DOUBLE_EQ(sink->finished()[0].total_logprob, -2);
  EXPECT_EQ(sink->done(), absl::OkStatus());
  EXPECT_EQ(step_count(), 4u);  // The last token is not fed back.
}

TEST_F(SchedulerTest, NumbersTokensByTheirAbsolutePosition) {
  auto sink = Submit(Generate({1, 2, 3}, 2));
  RunUntilIdle();
  EXPECT_EQ(sink->tokens()[0].position, 3);
  EXPECT_EQ(sink->tokens()[1].position, 4);
}

TEST_F(SchedulerTest, EndsAtTheEndOfTextTokenWhichHasNoText) {
  executor_.next_token = [](const std::vector<int32_t>& ids) {
    return ids.size() == 3 ? kEos : 7;
  };
  auto sink = Submit(Generate({1, 2}, 10));
  RunUntilIdle();
  EXPECT_THAT(sink->ids(), ElementsAre(7, kEos));
  EXPECT_EQ(sink->text(), "<7>");
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kEos);
}

TEST_F(SchedulerTest, EndsAtAnyOfTheModelsEndTokens) {
  for (int32_t end : {kEos, kSecondEos}) {
    executor_.next_token = [end](const std::vector<int32_t>&) { return end; };
    auto sink = Submit(Generate({1, 2}, 10));
    RunUntilIdle();
    EXPECT_THAT(sink->ids(), ElementsAre(end));
    EXPECT_EQ(sink->finished()[0].reason, FinishReason::kEos);
  }
}

TEST_F(SchedulerTest, GoesOnAfterEndTokensWhenAsked) {
  for (int32_t end : {kEos, kSecondEos}) {
    executor_.next_token = [end](const std::vector<int32_t>&) { return end; };
    SequenceSpec spec = Generate({1}, 3);
    spec.ignore_eos = true;
    auto sink = Submit(spec);
    RunUntilIdle();
    EXPECT_THAT(sink->ids(), ElementsAre(end, end, end));
    EXPECT_EQ(sink->finished()[0].reason, FinishReason::kLength);
  }
}

TEST_F(SchedulerTest, StopsAtAStopSequenceAcrossTokens) {
  executor_.next_token = [](const std::vector<int32_t>& ids) {
    return static_cast<int32_t>(ids.size());
  };
  SequenceSpec spec = Generate({1, 2}, 10);
  spec.stop_sequences = {"nothing", "3><4"};
  auto sink = Submit(spec);
  RunUntilIdle();
  EXPECT_THAT(sink->ids(), ElementsAre(2, 3, 4));
  EXPECT_EQ(sink->text(), "<2><");
  EXPECT_EQ(sink->finished()[0].reason, FinishReason::kStop);
  EXPECT_EQ(sink->finished()[0].stop_index, 1);
}

TEST_F(SchedulerTest, GivesOutHeldBackTextWhenTheAnswerEnds) {
  executor_.next_token = [](const std::vector<int32_t>&) { return 5; };
  SequenceSpec spec = Generate({1}, 2);
  spec.stop_sequences = {"5>X"};
  auto sink = Submit(spec);
  RunUntilIdle();
  EXPECT_EQ(sink->tokens()[0].text, "<");
  EXPECT_EQ(sink->finished()[0].text_tail, "5>");
  EXPECT_EQ(sink->text(), "<5><5>");
}

TEST_F(SchedulerTest, LetsANewRequestJoinARunningBatch) {
  auto first = Submit(Generate({1}, 5));
  scheduler_.RunOneStep();
  auto second = Submit(Generate({2}, 2));
  EXPECT_EQ(scheduler_.RunOneStep().rows, 2);
  RunUntilIdle();
  EXPECT_EQ(first->ids(), FakeStepExecutor::Continue({1}, 5));
  EXPECT_EQ(second->ids(), FakeStepExecutor::Continue({2}, 2));
}

TEST_F(SchedulerTest, GivesTheSlotOfAFinishedRowToTheNextRequest) {
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < kSlots; ++i) {
    sinks.push_back(Submit(Generate({i}, i == 0 ? 1 : 6)));
  }
  auto waiting = Submit(Generate({50}, 1));
  StepReport report = scheduler_.RunOneStep();
  EXPECT_EQ(report.admitted, kSlots);
  EXPECT_EQ(report.finished, 1);
  EXPECT_EQ(observer_.queue, 1);
  report = scheduler_.RunOneStep();
  EXPECT_EQ(report.admitted, 1);
  EXPECT_EQ(report.rows, kSlots);
  EXPECT_EQ(waiting->done(), absl::OkStatus());
  EXPECT_EQ(observer_.queue, 0);
}

TEST_F(SchedulerTest, AnswersDoNotDependOnTheOrderOrTheNeighbours) {
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 8; ++i) {
    sinks.push_back(Submit(Generate(std::vector<int32_t>(i + 1, i), 3 + i)));
    if (i % 3 == 0) scheduler_.RunOneStep();
  }
  RunUntilIdle();
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(sinks[i]->ids(), FakeStepExecutor::Continue(
                                   std::vector<int32_t>(i + 1, i), 3 + i));
  }
}

TEST_F(SchedulerTest, FeedsALongPromptInBoundedChunks) {
  auto sink = Submit(Generate(std::vector<int32_t>(20, 3), 1));
  RunUntilIdle();
  ASSERT_EQ(step_count(), 3u);
  EXPECT_THAT(executor_.steps[0][0].tokens, SizeIs(8));
  EXPECT_FALSE(executor_.steps[0][0].sampling.has_value());
  EXPECT_THAT(executor_.steps[2][0].tokens, SizeIs(4));
  EXPECT_TRUE(executor_.steps[2][0].sampling.has_value());
  EXPECT_EQ(sink->ids(),
            FakeStepExecutor::Continue(std::vector<int32_t>(20, 3), 1));
}

TEST_F(SchedulerTest, ALongPromptDoesNotHoldUpARunningAnswer) {
  auto running = Submit(Generate({1}, 5));
  scheduler_.RunOneStep();
  Submit(Generate(std::vector<int32_t>(30, 3), 1));
  scheduler_.RunOneStep();
  EXPECT_THAT(last_step(), SizeIs(2));
  EXPECT_THAT(running->ids(), SizeIs(2));
}

TEST_F(SchedulerTest, BoundsThePromptTokensOfAStepOverAllSequences) {
  for (int i = 0; i < 3; ++i) Submit(Generate({1, 2, 3, 4, 5}, 1));
  EXPECT_EQ(scheduler_.RunOneStep().prompt_tokens, 8);
  EXPECT_THAT(last_step(), SizeIs(2));  // 5 and 3; the third waits.
  EXPECT_EQ(scheduler_.RunOneStep().prompt_tokens, 7);
}

TEST_F(SchedulerTest, ArmsStartTogetherAndShareEveryStep) {
  for (int i = 0; i < kSlots - 1; ++i) Submit(Generate({i}, i + 1));
  RequestSpec arms;
  arms.grouping = Grouping::kTogether;
  arms.sequences = {Generate(std::vector<int32_t>(13, 4), 6),
                    Generate(std::vector<int32_t>(13, 4), 6)};
  auto sink = Submit(arms);
  RunUntilIdle();
  int shared = 0;
  for (const std::vector<StepRow>& step : executor_.steps) {
    std::vector<const StepRow*> rows;
    for (const StepRow& row : step) {
      if (row.prompt_length == 13) rows.push_back(&row);
    }
    if (rows.empty()) continue;
    ASSERT_THAT(rows, SizeIs(2));
    EXPECT_EQ(rows[0]->start, rows[1]->start);
    EXPECT_EQ(rows[0]->tokens, rows[1]->tokens);
    ++shared;
  }
  // Eight of the prompt, which both share, five more of which only the last is
  // each one's own, then five fed-back tokens.
  EXPECT_EQ(shared, 2 + 5);
  EXPECT_EQ(sink->ids(0), sink->ids(1));
}

TEST_F(SchedulerTest, OneArmGoesOnWhenTheOtherHasEnded) {
  RequestSpec arms;
  arms.grouping = Grouping::kTogether;
  arms.sequences = {Generate({1}, 2), Generate({1}, 5)};
  auto sink = Submit(arms);
  RunUntilIdle();
  EXPECT_THAT(sink->ids(0), SizeIs(2));
  EXPECT_THAT(sink->ids(1), SizeIs(5));
  EXPECT_EQ(sink->finished()[0].sequence, 0);
  EXPECT_EQ(sink->done(), absl::OkStatus());
}

TEST_F(SchedulerTest, AReadoutLeavesAtItsHookWithoutSampling) {
  auto sink = Submit(Read({5, 6, 7}, 0, {1, 2}));
  RunUntilIdle();
  ASSERT_EQ(step_count(), 1u);
  const StepRow& row = last_step()[0];
  EXPECT_TRUE(row.leave_after_observations);
  EXPECT_FALSE(row.sampling.has_value());
  ASSERT_THAT(sink->finished(), SizeIs(1));
  ASSERT_THAT(sink->finished()[0].readings, SizeIs(2));
  EXPECT_EQ(sink->finished()[0].readings[0].values[0], 6);
  EXPECT_EQ(sink->finished()[0].readings[1].values[0], 7);
  EXPECT_THAT(sink->tokens(), IsEmpty());
}

TEST_F(SchedulerTest, ChunksOfAReadoutStillRunToTheHook) {
  auto sink = Submit(Read(std::vector<int32_t>(12, 2), 1, {1, 11}));
  RunUntilIdle();
  ASSERT_EQ(step_count(), 2u);
  for (const std::vector<StepRow>& step : executor_.steps) {
    EXPECT_EQ(step[0].observations[0].checkpoint, 1);
    EXPECT_THAT(step[0].observations[0].positions, SizeIs(1));
  }
  EXPECT_THAT(sink->finished()[0].readings, SizeIs(2));
}

// Chunks end at position 8: what is asked for on both sides is read, once.
TEST_F(SchedulerTest, PositionsAtTheEdgesOfChunksAreReadOnce) {
  std::vector<int32_t> prompt(12);
  for (int i = 0; i < 12; ++i) prompt[i] = 20 + i;
  auto sink = Submit(Read(prompt, 0, {0, 7, 8, 11}));
  RunUntilIdle();
  std::vector<int> positions;
  std::vector<float> values;
  const SequenceFinished finished = sink->finished()[0];
  for (const ConceptReading& reading : finished.readings) {
    positions.push_back(reading.position);
    values.push_back(reading.values[0]);
  }
  EXPECT_THAT(positions, ElementsAre(0, 7, 8, 11));
  EXPECT_THAT(values, ElementsAre(20, 27, 28, 31));
}

TEST_F(SchedulerTest, EveryPromptIsReadAtItsLastTokenAtEveryHookItPasses) {
  auto sink = Submit(Generate({5, 6, 7}, 3));
  RunUntilIdle();
  ASSERT_THAT(observer_.readings, SizeIs(2));
  EXPECT_EQ(observer_.readings[0].checkpoint, 0);
  EXPECT_EQ(observer_.readings[1].checkpoint, 1);
  for (const ConceptReading& reading : observer_.readings) {
    EXPECT_EQ(reading.position, 2);
  }
}

TEST_F(SchedulerTest, AReadoutDoesNotRunOnToLaterHooks) {
  Submit(Read({5, 6, 7}, 0, {0}));
  RunUntilIdle();
  ASSERT_THAT(observer_.readings, SizeIs(1));
  EXPECT_EQ(observer_.readings[0].checkpoint, 0);
}

TEST_F(SchedulerTest, TellsThePromptReadingOfTheChosenCheckpoint) {
  SequenceSpec spec = Generate({5, 6, 7}, 3);
  spec.reading_checkpoint = 1;
  auto sink = Submit(spec);
  RunUntilIdle();
  ASSERT_TRUE(sink->finished()[0].prompt_reading.has_value());
  EXPECT_EQ(sink->finished()[0].prompt_reading->checkpoint, 1);
  EXPECT_EQ(sink->finished()[0].prompt_reading->values[0], 7);
  EXPECT_THAT(sink->traces(), IsEmpty());  // Nobody asked.
  EXPECT_THAT(observer_.generated_readings, IsEmpty());
}

TEST_F(SchedulerTest, TracesEveryTokenThatIsFedBack) {
  SequenceSpec spec = Generate({5, 6}, 3);
  spec.reading_checkpoint = 1;
  spec.trace = true;
  auto sink = Submit(spec);
  RunUntilIdle();
  ASSERT_THAT(sink->traces(), SizeIs(2));
  EXPECT_EQ(sink->traces()[0].reading.checkpoint, 1);
  EXPECT_EQ(sink->traces()[0].reading.position, 2);
  EXPECT_EQ(sink->traces()[0].reading.values[0], sink->ids()[0]);
  EXPECT_EQ(sink->traces()[1].reading.position, 3);
  ASSERT_THAT(observer_.generated_readings, SizeIs(2));
  EXPECT_EQ(observer_.generated_readings[0].position, 2);
  EXPECT_EQ(observer_.generated_readings[1].position, 3);
}

TEST_F(SchedulerTest, MergesReceiptsOverTheStepsOfAnAnswer) {
  Intervention intervention;
  intervention.alpha = 3;
  intervention.positions = {{0, 9}, /*generated=*/true};
  SequenceSpec spec = Generate(std::vector<int32_t>(10, 1), 3);
  spec.interventions = std::make_shared<std::vector<Intervention>>(
      std::vector<Intervention>{intervention});
  auto sink = Submit(spec);
  RunUntilIdle();
  const InterventionReceipt receipt = sink->finished()[0].receipts[0];
  EXPECT_EQ(receipt.positions_applied, 4);  // 0, 9 and two fed-back tokens.
  EXPECT_EQ(receipt.effects[3].position, 11);
  ASSERT_THAT(observer_.steered, SizeIs(1));
  EXPECT_EQ(observer_.steered[0][0].positions_applied, 4);
}

TEST_F(SchedulerTest, GivesTheHistoryOnlyWhenThePenaltyNeedsIt) {
  SequenceSpec spec = Generate({1, 2}, 2);
  Submit(spec);
  spec.sampling.repetition_penalty = 1.5;
  Submit(spec);
  RunUntilIdle();
  EXPECT_THAT(last_step()[0].history, IsEmpty());
  EXPECT_THAT(last_step()[1].history,
              ElementsAre(1, 2, FakeStepExecutor::NextToken({1, 2})));
}

TEST_F(SchedulerTest, GivesTheHistoryForPenaltiesOfWhatWasGenerated) {
  SequenceSpec spec = Generate({1, 2}, 2);
  spec.sampling.frequency_penalty = 0.5;
  Submit(spec);
  spec.sampling = {};
  spec.sampling.presence_penalty = -1;
  Submit(spec);
  RunUntilIdle();
  EXPECT_THAT(last_step()[0].history, SizeIs(3));
  EXPECT_THAT(last_step()[1].history, SizeIs(3));
}

TEST_F(SchedulerTest, BansEndTokensUntilEnoughAreGenerated) {
  SequenceSpec spec = Generate({1, 2}, 4);
  spec.min_new_tokens = 2;
  Submit(spec);
  RunUntilIdle();
  std::vector<std::vector<int32_t>> banned;
  for (const std::vector<StepRow>& step : executor_.steps) {
    banned.push_back(step[0].sampling->banned);
  }
  const std::vector<int32_t> ends = {kEos, kSecondEos};
  EXPECT_THAT(banned, ElementsAre(ends, ends, IsEmpty(), IsEmpty()));
}

TEST_F(SchedulerTest, TellsTheLogprobsOfAPromptBeforeItsFirstToken) {
  SchedulerOptions options = options_;
  options.max_prompt_tokens_per_step = 40;
  Scheduler scheduler(options, &executor_, &clock_,
                      SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                      &observer_);
  std::vector<int32_t> prompt(61);
  std::iota(prompt.begin(), prompt.end(), 0);
  SequenceSpec spec = Generate(prompt, 2);
  spec.prompt_logprobs = 3;
  auto sink = std::make_shared<RecordingSink>();
  auto other = std::make_shared<RecordingSink>();
  ASSERT_OK(scheduler.Submit(One(spec), sink));
  ASSERT_OK(scheduler.Submit(One(Generate({1, 2}, 2)), other));
  while (scheduler.RunOneStep().rows > 0) {
    EXPECT_TRUE(sink->prompts().size() == 3 || sink->tokens().empty());
  }
  std::vector<int32_t> ids;
  std::vector<size_t> sizes;
  for (const PromptEvent& event : sink->prompts()) {
    EXPECT_EQ(event.position, static_cast<int>(ids.size()));
    sizes.push_back(event.tokens.size());
    for (const SampledToken& token : event.tokens) {
      EXPECT_EQ(token.top.size(), ids.empty() ? 0u : 3u);
      EXPECT_EQ(token.logprob, ids.empty() ? 0 : executor_.logprob);
      ids.push_back(token.token);
    }
  }
  EXPECT_EQ(ids, prompt);
  // A step of 40 tells of the token behind it too.
  EXPECT_THAT(sizes, ElementsAre(32, 9, 20));
  EXPECT_THAT(sink->ids(), SizeIs(2));
  EXPECT_THAT(other->prompts(), IsEmpty());
  EXPECT_TRUE(last_step()[0].scored.empty());
}

TEST_F(SchedulerTest, APromptOfOneTokenIsToldWithoutALogprob) {
  SequenceSpec spec = Generate({5}, 1);
  spec.prompt_logprobs = 0;
  auto sink = Submit(spec);
  RunUntilIdle();
  ASSERT_THAT(sink->prompts(), SizeIs(1));
  EXPECT_EQ(sink->prompts()[0].tokens[0].token, 5);
}

TEST_F(SchedulerTest, MeasuresWaitingFirstTokenAndTokenTimes) {
  executor_.before_step = [this] { clock_.Advance(absl::Milliseconds(10)); };
  Submit(Generate({1}, 3));
  clock_.Advance(absl::Milliseconds(5));
  RunUntilIdle();
  EXPECT_THAT(observer_.waits, ElementsAre(absl::Milliseconds(5)));
  EXPECT_THAT(observer_.first_tokens, ElementsAre(absl::Milliseconds(15)));
  EXPECT_THAT(observer_.token_times, ElementsAre(absl::Milliseconds(10)));
  Submit(Generate({1}, 1));  // Has no token after its first.
  RunUntilIdle();
  EXPECT_THAT(observer_.first_tokens, SizeIs(2));
  EXPECT_THAT(observer_.token_times, SizeIs(1));
}

}  // namespace
}  // namespace alignsae
