#include "model/engine/engine.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kContext = 48;
constexpr int kVocabulary = 97;

absl::Status GoOn() { return absl::OkStatus(); }

std::vector<int32_t> Prompt(int length, uint64_t seed) {
  CounterRng rng(seed);
  std::vector<int32_t> ids;
  for (int i = 0; i < length; ++i) {
    ids.push_back(static_cast<int32_t>(rng.NextBelow(kVocabulary)));
  }
  return ids;
}

Intervention Edit(InterventionMode mode, double alpha, int position,
                  int checkpoint = 0) {
  Intervention edit;
  edit.checkpoint = checkpoint;
  edit.mode = mode;
  edit.target_slot = 3;
  if (IsTwoSlotMode(mode)) edit.source_slot = 0;
  edit.alpha = alpha;
  edit.positions.prompt = {position};
  return edit;
}

StepRow PromptRow(int slot, std::vector<int32_t> tokens,
                  std::vector<Intervention> edits = {}) {
  StepRow row;
  row.kv_slot = slot;
  row.prompt_length = static_cast<int>(tokens.size());
  row.history = tokens;
  row.tokens = std::move(tokens);
  row.interventions =
      std::make_shared<const std::vector<Intervention>>(std::move(edits));
  row.sampling = SamplingParams{.n_logprobs = 20};
  return row;
}

// Greedy tokens of one sequence that runs together with `others` (which decode
// along with it, one token a step).
std::vector<int32_t> Greedy(Engine& engine, StepRow row, int count,
                            std::vector<StepRow> others = {}) {
  std::vector<int32_t> generated;
  std::vector<StepRow> rows = {std::move(row)};
  rows.insert(rows.end(), others.begin(), others.end());
  for (int i = 0; i < count; ++i) {
    std::vector<RowResult> results = engine.Step(rows);
    EXPECT_TRUE(results[0].status.ok()) << results[0].status;
    generated.push_back(results[0].sampled->token);
    std::vector<StepRow> next;
    for (size_t r = 0; r < rows.size(); ++r) {
      if (!results[r].sampled.has_value()) continue;
      rows[r].start += static_cast<int>(rows[r].tokens.size());
      rows[r].tokens = {results[r].sampled->token};
      rows[r].observations.clear();
      next.push_back(rows[r]);
    }
    rows = std::move(next);
  }
  return generated;
}

class EngineTest : public ::testing::Test {
 protected:
  EngineTest()
      : bundle_(TinyBundle()),
        engine_(Engine::Create(bundle_, {.kv_slots = 12}).value()) {}

  RowResult RunAlone(const StepRow& row) { return engine_->Step({row})[0]; }

  std::shared_ptr<const Bundle> bundle_;
  std::unique_ptr<Engine> engine_;
};

void ExpectSameDistribution(const SampledToken& a, const SampledToken& b) {
  ASSERT_EQ(a.top.size(), b.top.size());
  EXPECT_EQ(a.token, b.token);
  for (size_t i = 0; i < a.top.size(); ++i) {
    EXPECT_EQ(a.top[i].token, b.top[i].token) << i;
    EXPECT_NEAR(a.top[i].logprob, b.top[i].logprob, 1e-4) << i;
  }
}

TEST_F(EngineTest, AnswersInABatchOfMixedInterventionsAsAlone) {
  std::vector<StepRow> rows;
  for (int i = 0; i < 8; ++i) {
    const int length = 3 + 2 * i;
    std::vector<Intervention> edits;
    if (i % 3 == 1)
      edits.push_back(Edit(InterventionMode::kSwap, 2, length - 1));
    if (i % 3 == 2) {
      edits.push_back(Edit(InterventionMode::kAdd, -1.5, 1));
      edits.push_back(Edit(InterventionMode::kMultiply, 3, 2, 1));
    }
    rows.push_back(PromptRow(i, Prompt(length, 50 + i), std::move(edits)));
  }
  const std::vector<RowResult> together = engine_->Step(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const RowResult alone = RunAlone(rows[i]);
    SCOPED_TRACE(i);
    ExpectSameDistribution(*together[i].sampled, *alone.sampled);
  }
}

TEST_F(EngineTest, SameGreedyTokensWhateverTheNeighboursDo) {
  const StepRow mine = PromptRow(0, Prompt(9, 1));
  const std::vector<int32_t> alone = Greedy(*engine_, mine, 16);
  std::vector<StepRow> neighbours;
  for (int i = 1; i < 8; ++i) {
    neighbours.push_back(PromptRow(i, Prompt(4 + i, i),
                                   {Edit(InterventionMode::kSet, 0.5 * i, 2)}));
  }
  EXPECT_EQ(Greedy(*engine_, mine, 16, neighbours), alone);
}

TEST_F(EngineTest, ChunkedPromptEqualsWholePrompt) {
  const std::vector<int32_t> ids = Prompt(20, 3);
  const std::vector<Intervention> edits = {Edit(InterventionMode::kSwap, 1, 4),
                                           Edit(InterventionMode::kAdd, 2, 19)};
  const RowResult whole = RunAlone(PromptRow(0, ids, edits));
  RowResult last;
  InterventionReceipt first_edit;
  for (int start : {0, 7, 13}) {
    StepRow row = PromptRow(5, ids, edits);
    const int stop = start == 0 ? 7 : start == 7 ? 13 : 20;
    row.start = start;
    row.tokens.assign(ids.begin() + start, ids.begin() + stop);
    if (stop != 20) row.sampling.reset();
    last = RunAlone(row);
    ASSERT_TRUE(last.status.ok()) << last.status;
    first_edit.Merge(last.receipts[0]);
  }
  ExpectSameDistribution(*last.sampled, *whole.sampled);
  EXPECT_EQ(first_edit.positions_applied, 1);
  EXPECT_EQ(first_edit.effects[0].position, 4);
}

TEST_F(EngineTest, ArmsThatChangeNothingAreBitEqualWhateverTheThreadCount) {
  const int before = at::get_num_threads();
  for (int threads : {1, 2, 3, 5, 7}) {
    at::set_num_threads(threads);
    for (int length : {1, 5, 23}) {
      const std::vector<int32_t> ids = Prompt(length, 4);
      const std::vector<RowResult> results = engine_->Step(
          {PromptRow(0, ids),
           PromptRow(1, ids, {Edit(InterventionMode::kAdd, 0, length - 1)})});
      for (size_t i = 0; i < 20; ++i) {
        EXPECT_EQ(results[1].sampled->top[i].logprob,
                  results[0].sampled->top[i].logprob)
            << threads << " threads, " << length << " tokens";
      }
    }
  }
  at::set_num_threads(before);
}

TEST_F(EngineTest, ArmsThatChangeNothingAreBitEqualToTheBaseline) {
  const std::vector<int32_t> ids = Prompt(11, 4);
  std::vector<StepRow> rows;
  rows.push_back(PromptRow(0, ids));
  rows.push_back(PromptRow(1, ids, {Edit(InterventionMode::kAdd, 0, 10)}));
  rows.push_back(
      PromptRow(2, ids, {Edit(InterventionMode::kAddNormMatched, 0, 10)}));
  rows.push_back(PromptRow(3, ids, {Edit(InterventionMode::kMultiply, 1, 10)}));
  for (int step = 0; step < 20; ++step) {
    const std::vector<RowResult> results = engine_->Step(rows);
    for (size_t r = 1; r < rows.size(); ++r) {
      for (size_t i = 0; i < 20; ++i) {
        ASSERT_EQ(results[r].sampled->top[i].token,
                  results[0].sampled->top[i].token);
        ASSERT_EQ(results[r].sampled->top[i].logprob,
                  results[0].sampled->top[i].logprob)
            << "step " << step << " arm " << r;
      }
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      rows[r].start += static_cast<int>(rows[r].tokens.size());
      rows[r].tokens = {results[r].sampled->token};
    }
  }
}

TEST_F(EngineTest, ReadsConceptsAtTheHookAndLeavesEarly) {
  StepRow row = PromptRow(0, Prompt(10, 5));
  row.observations = {{.checkpoint = 1, .positions = {0, 9}},
                      {.checkpoint = 0, .positions = {9}, .whole = true}};
  const RowResult full = RunAlone(row);
  row.sampling.reset();
  row.leave_after_observations = true;
  const RowResult early = RunAlone(row);
  EXPECT_FALSE(early.sampled.has_value());
  ASSERT_THAT(full.readings, SizeIs(3));
  ASSERT_THAT(early.readings, SizeIs(3));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(early.readings[i].checkpoint, i == 2 ? 0 : 1);
    EXPECT_EQ(early.readings[i].position, i == 0 ? 0 : 9);
    ASSERT_THAT(early.readings[i].values, SizeIs(3));
    float sum = 0;
    for (int r = 0; r < 3; ++r) {
      EXPECT_NEAR(early.readings[i].values[r], full.readings[i].values[r],
                  1e-5);
      sum += early.readings[i].probabilities[r];
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_GT(early.readings[i].residual_norm, 0);
  }
  EXPECT_THAT(early.readings[0].residual, IsEmpty());
  EXPECT_THAT(early.readings[2].residual, SizeIs(32));
  std::vector<ConceptReading> whole = {early.readings[2]};
  ASSERT_TRUE(engine_->ReadFeatures(absl::MakeSpan(whole), 5, GoOn).ok());
  ASSERT_THAT(whole[0].top_features, SizeIs(5));
  EXPECT_GT(whole[0].l0, 4);
  for (int k = 1; k < 5; ++k) {
    EXPECT_GE(whole[0].top_features[k - 1].value,
              whole[0].top_features[k].value);
  }
}

TEST_F(EngineTest, FeaturesOfManyReadingsAreThoseOfEachAlone) {
  StepRow row = PromptRow(0, Prompt(40, 5));
  row.observations = {{.checkpoint = 0, .positions = {}, .whole = true}};
  for (int i = 0; i < 40; ++i) row.observations[0].positions.push_back(i);
  std::vector<ConceptReading> readings = RunAlone(row).readings;
  // More than are encoded at once.
  std::vector<ConceptReading> alone = readings;
  readings.insert(readings.end(), alone.begin(), alone.end());
  alone = readings;
  ASSERT_TRUE(engine_->ReadFeatures(absl::MakeSpan(readings), 3, GoOn).ok());
  for (size_t i = 0; i < alone.size(); ++i) {
    ASSERT_TRUE(
        engine_->ReadFeatures(absl::MakeSpan(&alone[i], 1), 3, GoOn).ok());
    EXPECT_EQ(readings[i].l0, alone[i].l0);
    ASSERT_EQ(readings[i].top_features.size(), alone[i].top_features.size());
    for (size_t k = 0; k < alone[i].top_features.size(); ++k) {
      EXPECT_EQ(readings[i].top_features[k].feature,
                alone[i].top_features[k].feature);
      EXPECT_NEAR(readings[i].top_features[k].value,
                  alone[i].top_features[k].value, 1e-4);
    }
  }
}

TEST_F(EngineTest, AnEncodeThatNobodyWaitsForStopsBetweenChunks) {
  StepRow row = PromptRow(0, Prompt(40, 5));
  row.observations = {{.checkpoint = 0, .positions = {}, .whole = true}};
  for (int i = 0; i < 40; ++i) row.observations[0].positions.push_back(i);
  std::vector<ConceptReading> readings = RunAlone(row).readings;
  ASSERT_THAT(readings, SizeIs(40));
  int asked = 0;
  const absl::Status status =
      engine_->ReadFeatures(absl::MakeSpan(readings), 3, [&] {
        return ++asked > 1 ? absl::CancelledError("gone") : absl::OkStatus();
      });
  EXPECT_EQ(status, absl::CancelledError("gone"));
  EXPECT_EQ(asked, 2);
  EXPECT_THAT(readings.front().top_features, SizeIs(3));
  EXPECT_THAT(readings.back().top_features, IsEmpty());
}

TEST_F(EngineTest, AnEncodeComputesOnItsOwnThreadAlone) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  StepRow row = PromptRow(0, Prompt(9, 5));
  row.observations = {{.checkpoint = 0, .positions = {8}, .whole = true}};
  std::vector<ConceptReading> readings = RunAlone(row).readings;
  std::thread([&] {
    ASSERT_TRUE(engine_->ReadFeatures(absl::MakeSpan(readings), 3, GoOn).ok());
    EXPECT_EQ(at::get_num_threads(), 1);
    at::parallel_for(0, 4, 1, [](int64_t, int64_t) {
      EXPECT_FALSE(at::in_parallel_region());
    });
  }).join();
  EXPECT_EQ(at::get_num_threads(), 3);
  at::set_num_threads(before);
}

TEST_F(EngineTest, ReadingsWithoutTheirResidualHaveNoFeatures) {
  std::vector<ConceptReading> readings(1);
  EXPECT_EQ(engine_->ReadFeatures(absl::MakeSpan(readings), 3, GoOn).code(),
            absl::StatusCode::kInternal);
}

TEST_F(EngineTest, ReadsBeforeItEdits) {
  const std::vector<int32_t> ids = Prompt(6, 6);
  StepRow plain = PromptRow(0, ids);
  plain.observations = {{.checkpoint = 0, .positions = {5}}};
  StepRow steered = PromptRow(1, ids, {Edit(InterventionMode::kSet, 4, 5)});
  steered.observations = plain.observations;
  const std::vector<RowResult> results = engine_->Step({plain, steered});
  EXPECT_EQ(results[1].readings[0].values, results[0].readings[0].values);
  ASSERT_THAT(results[1].receipts, SizeIs(1));
  EXPECT_EQ(results[1].receipts[0].positions_applied, 1);
  EXPECT_GT(results[1].receipts[0].effects[0].change_norm, 0);
}

TEST_F(EngineTest, ReceiptSaysZeroWhereTheStepHoldsNoEditedPosition) {
  StepRow row =
      PromptRow(0, Prompt(6, 6), {Edit(InterventionMode::kAdd, 1, 5)});
  row.tokens.resize(3);
  row.sampling.reset();
  const RowResult result = RunAlone(row);
  ASSERT_THAT(result.receipts, SizeIs(1));
  EXPECT_EQ(result.receipts[0].positions_applied, 0);
}

TEST_F(EngineTest, NonFiniteLogitsEndOnlyTheRequestThatCausedThem) {
  const StepRow innocent = PromptRow(0, Prompt(8, 7));
  const RowResult alone = RunAlone(innocent);
  const StepRow wild =
      PromptRow(1, Prompt(8, 8), {Edit(InterventionMode::kAdd, 1e38, 3)});
  const std::vector<RowResult> results = engine_->Step({innocent, wild});
  ExpectSameDistribution(*results[0].sampled, *alone.sampled);
  EXPECT_EQ(results[1].status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(results[1].status.message(),
              HasSubstr("interventions: must leave the logits finite"));
}

TEST_F(EngineTest, SlotLeftFullOfNanServesTheNextSequence) {
  const StepRow innocent = PromptRow(4, Prompt(5, 9));
  const RowResult before = RunAlone(innocent);
  const RowResult wild = RunAlone(
      PromptRow(4, Prompt(30, 8), {Edit(InterventionMode::kAdd, 1e38, 3)}));
  ASSERT_EQ(wild.status.code(), absl::StatusCode::kOutOfRange);
  // Nothing of what the slot held may be read again.
  const std::vector<RowResult> after =
      engine_->Step({innocent, PromptRow(5, Prompt(40, 10))});
  ExpectSameDistribution(*after[0].sampled, *before.sampled);
}

TEST_F(EngineTest, RefusesABrokenRowAndRunsTheOthers) {
  const StepRow good = PromptRow(0, Prompt(4, 11));
  StepRow taken = PromptRow(0, Prompt(4, 12));
  StepRow empty = PromptRow(1, {});
  StepRow token = PromptRow(2, {kVocabulary});
  StepRow long_row = PromptRow(3, Prompt(kContext + 1, 1));
  StepRow no_list = PromptRow(4, Prompt(2, 1));
  no_list.interventions = nullptr;
  StepRow far = PromptRow(5, Prompt(2, 1));
  far.observations = {{.checkpoint = 0, .positions = {2}}};
  const std::vector<RowResult> results =
      engine_->Step({good, taken, empty, token, long_row, no_list, far});
  EXPECT_TRUE(results[0].status.ok());
  EXPECT_TRUE(results[0].sampled.has_value());
  const char* const words[] = {"",
                               "taken twice",
                               "no tokens",
                               "token 97",
                               "positions [0, 49)",
                               "no interventions",
                               "observed position 2"};
  for (size_t i = 1; i < results.size(); ++i) {
    EXPECT_EQ(results[i].status.code(), absl::StatusCode::kInternal) << i;
    EXPECT_THAT(results[i].status.message(), HasSubstr(words[i]));
  }
}

TEST_F(EngineTest, SamplingDoesNotDependOnTheBatch) {
  StepRow row = PromptRow(0, Prompt(6, 13));
  row.sampling = SamplingParams{.temperature = 1.3, .top_k = 40, .seed = 99};
  const std::vector<int32_t> alone = Greedy(*engine_, row, 12);
  std::vector<StepRow> neighbours;
  for (int i = 1; i < 6; ++i)
    neighbours.push_back(PromptRow(i, Prompt(3 + i, i)));
  row.kv_slot = 9;
  EXPECT_EQ(Greedy(*engine_, row, 12, neighbours), alone);
  row.sampling->seed = 100;
  EXPECT_NE(Greedy(*engine_, row, 12), alone);
}

TEST_F(EngineTest, NeedsAtLeastOneSlot) {
  const auto engine = Engine::Create(bundle_, {.kv_slots = 0});
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine.status().message(), "kv_slots: must be at least 1, got 0");
}

}  // namespace
}  // namespace alignsae
