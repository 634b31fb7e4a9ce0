// Swap success on hand-made people with a scripted model.

#include "model/train/eval/swap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "model/train/eval/binding.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"
#include "tests/train/scripted_executor.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using Tokens = std::vector<int32_t>;

// Three relations; Bo's birth and work city are the same.
EvalSet ThreeRelations() {
  EvalSet set;
  set.relations = {"birth_city", "employer", "work_city"};
  set.people = {
      {.name = "Al", .asked = true, .answers = {"Rome", "Acme Ltd", "Oslo"}},
      {.name = "Bo", .asked = false, .answers = {"Oslo", "Bits Inc", "oslo"}}};
  set.wordings = {{.relation = 0,
                   .wording = 6,
                   .split = Split::kTest,
                   .pattern = "{name}0"},
                  {.relation = 1,
                   .wording = 6,
                   .split = Split::kTest,
                   .pattern = "{name}1"},
                  {.relation = 2,
                   .wording = 6,
                   .split = Split::kTest,
                   .pattern = "{name}2"},
                  {.relation = 2,
                   .wording = 4,
                   .split = Split::kValidation,
                   .pattern = "{name}?"}};
  set.prompt_template = "Q: {question}\nA:";
  return set;
}

class EvalSwapTest : public ::testing::Test {
 protected:
  EvalSwapTest()
      : tokenizer_(
            *Tokenizer::FromFiles(SmallVocab().dump(), kSmallMerges, "")),
        set_(ThreeRelations()),
        prompts_(MakePrompts(set_, tokenizer_, {0, 1}, Split::kTest)) {}

  // Answers as `answer` says, with the person, the relation asked and the
  // target slot (-1 without an edit).
  using Answer = std::function<std::string(int person, int relation,
                                           const Intervention* edit)>;
  ScriptedExecutor Model(Answer answer) {
    return ScriptedExecutor(4, [this, answer](
                                   const Tokens& prompt,
                                   const std::vector<Intervention>& edits) {
      Tokens tokens;
      for (const EvalPrompt& candidate : prompts_) {
        if (candidate.tokens != prompt) continue;
        tokens = tokenizer_.Encode(answer(candidate.person, candidate.relation,
                                          edits.empty() ? nullptr : &edits[0]));
      }
      tokens.push_back(tokenizer_.eos_token_id());
      return tokens;
    });
  }

  EvalContext Context(StepExecutor& executor) {
    return {.executor = executor,
            .tokenizer = tokenizer_,
            .set = set_,
            .catalog =
                std::make_shared<Catalog>(OneBlock(tokenizer_.eos_token_id())),
            .max_tokens = 12,
            .on_progress = nullptr};
  }

  Tokenizer tokenizer_;
  EvalSet set_;
  std::vector<EvalPrompt> prompts_;
};

TEST_F(EvalSwapTest, PromptsAreTheSplitsWordingsUnderTheTemplate) {
  ASSERT_EQ(prompts_.size(), 6u);
  EXPECT_THAT(tokenizer_.Decode(prompts_[4].tokens),
              IsOkAndHolds("Q: Bo1\nA:"));
  EXPECT_EQ(prompts_[4].person, 1);
  EXPECT_EQ(prompts_[4].relation, 1);
}

TEST_F(EvalSwapTest, SuccessIsCountedPerPairAlphaAndHalf) {
  // Obeys at alpha 1, and for Al only; else answers what was asked.
  ScriptedExecutor model =
      Model([&](int person, int relation, const Intervention* edit) {
        const bool obeys = edit->alpha == 1 && person == 0;
        // Concept r is at slot 10 + r.
        const int given = obeys ? edit->target_slot - 10 : relation;
        return " " + set_.people[person].answers[given];
      });
  const Steering steering =
      SlotSteering(0, InterventionMode::kSwap, {10, 11, 12});
  ASSERT_OK_AND_ASSIGN(
      const SwapTable table,
      MeasureSwaps(Context(model), prompts_, steering, {0.5, 1}));
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      if (i == j) continue;
      const SuccessCounts& asked = table.pairs[1][i][j].asked;
      EXPECT_EQ(asked.tries, 1);
      EXPECT_EQ(asked.whole, 1);
      EXPECT_EQ(asked.first, 1);
      EXPECT_EQ(asked.substring, 1);
      EXPECT_EQ(table.pairs[0][i][j].asked.whole, 0);
      EXPECT_EQ(table.pairs[1][i][j].never_asked.whole, 0);
    }
  }
  EXPECT_EQ(table.BestAlpha(), 1u);
  const HalvesCounts total = table.Total(1);
  EXPECT_EQ(total.asked.tries, 6);
  EXPECT_EQ(total.asked.whole, 6);
  EXPECT_EQ(total.all().whole, 6);
  EXPECT_EQ(table.Target(1, 1).asked.tries, 2);
}

TEST_F(EvalSwapTest, PairsWithEqualGoldAnswersAreLeftOut) {
  ScriptedExecutor model =
      Model([](int, int, const Intervention*) { return std::string(" Oslo"); });
  ASSERT_OK_AND_ASSIGN(
      const SwapTable table,
      MeasureSwaps(Context(model), prompts_,
                   SlotSteering(0, InterventionMode::kSwap, {0, 1, 2}), {1}));
  // Bo was born where he works ("Oslo", "oslo").
  EXPECT_EQ(table.pairs[0][0][2].never_asked.tries, 0);
  EXPECT_EQ(table.pairs[0][2][0].never_asked.tries, 0);
  EXPECT_EQ(table.pairs[0][1][0].never_asked.tries, 1);
  EXPECT_EQ(table.pairs[0][1][0].never_asked.whole, 1);
  EXPECT_EQ(table.pairs[0][0][2].asked.tries, 1);
}

TEST_F(EvalSwapTest, TheThreeRulesDifferWhereTheyShould) {
  // A part of the right answer, then one that only starts right.
  std::map<int, std::string> given = {{1, " Acme"}, {2, " Osaka"}};
  ScriptedExecutor model = Model([&](int, int, const Intervention* edit) {
    return given[edit->target_slot];
  });
  prompts_.resize(1);  // Al's birth city.
  ASSERT_OK_AND_ASSIGN(
      const SwapTable table,
      MeasureSwaps(Context(model), prompts_,
                   SlotSteering(0, InterventionMode::kSwap, {0, 1, 2}), {1}));
  const SuccessCounts& employer = table.pairs[0][0][1].asked;
  EXPECT_EQ(employer.whole, 0);
  EXPECT_EQ(employer.first, 1);
  EXPECT_EQ(employer.substring, 1);
  const SuccessCounts& work_city = table.pairs[0][0][2].asked;
  EXPECT_EQ(work_city.whole, 0);
  EXPECT_EQ(work_city.first, 1);  // Bytes are tokens here: " " is the first.
  EXPECT_EQ(work_city.substring, 0);
}

TEST_F(EvalSwapTest, AnAnswerThatIsCutIsWrongThoughItsTextIsRight) {
  prompts_.resize(1);
  ScriptedExecutor model(1, [&](const Tokens&, const auto&) {
    Tokens tokens = tokenizer_.Encode(" Acme Ltd");
    tokens.resize(12, tokenizer_.Encode(" ").front());
    return tokens;
  });
  ASSERT_OK_AND_ASSIGN(
      const SwapTable table,
      MeasureSwaps(Context(model), prompts_,
                   SlotSteering(0, InterventionMode::kSwap, {0, 1, 2}), {1}));
  EXPECT_EQ(table.pairs[0][0][1].asked.whole, 0);
  EXPECT_EQ(table.pairs[0][0][1].asked.substring, 1);
}

TEST_F(EvalSwapTest, TheEditNamesSourceOnlyInTwoSlotModes) {
  prompts_.resize(1);
  for (InterventionMode mode :
       {InterventionMode::kSwap, InterventionMode::kReplace,
        InterventionMode::kSet, InterventionMode::kAddNormMatched}) {
    ScriptedExecutor model(1, [&](const Tokens&, const auto& edits) {
      EXPECT_EQ(edits.size(), 1u);
      EXPECT_EQ(edits[0].mode, mode);
      EXPECT_EQ(edits[0].checkpoint, 3);
      EXPECT_EQ(edits[0].source_slot,
                IsTwoSlotMode(mode) ? std::optional<int>(20) : std::nullopt);
      return Tokens{tokenizer_.eos_token_id()};
    });
    ASSERT_OK(MeasureSwaps(Context(model), prompts_,
                           SlotSteering(3, mode, {20, 21, 22}), {1})
                  .status());
  }
}

TEST_F(EvalSwapTest, ASteeringThatTheEngineRefusesIsAnError) {
  ScriptedExecutor model =
      Model([](int, int, const Intervention*) { return std::string(" Oslo"); });
  model.check = [](const Intervention& edit) {
    return edit.target_slot == 2
               ? absl::FailedPreconditionError("slot 2: no active mean")
               : absl::OkStatus();
  };
  EXPECT_THAT(
      MeasureSwaps(Context(model), prompts_,
                   SlotSteering(0, InterventionMode::kSwap, {0, 1, 2}), {1}),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("slot 2")));
}

TEST_F(EvalSwapTest, ChanceIsHowOftenABlindAnswerIsRight) {
  EvalSet set;
  for (const char* continent : {"Asia", "asia", "Africa", "Europe"}) {
    set.people.push_back({.name = "x", .asked = true, .answers = {continent}});
  }
  EXPECT_DOUBLE_EQ(ChanceOf(set, {0, 1, 2, 3}, 0), (4.0 + 1 + 1) / 16);
  EXPECT_DOUBLE_EQ(ChanceOf(set, {0, 1}, 0), 1);
  EXPECT_DOUBLE_EQ(ChanceOf(set, {1, 2}, 0), 0.5);
  EXPECT_DOUBLE_EQ(AboveChance(0.75, 0.5), 0.5);
  EXPECT_DOUBLE_EQ(AboveChance(1, 0.5), 1);
  EXPECT_DOUBLE_EQ(AboveChance(0.5, 0.5), 0);
  EXPECT_LT(AboveChance(0.25, 0.5), 0);
  EXPECT_TRUE(std::isnan(AboveChance(1, 1)));
  ScriptedExecutor model =
      Model([](int, int, const Intervention*) { return std::string(" Oslo"); });
  ASSERT_OK_AND_ASSIGN(
      const SwapTable table,
      MeasureSwaps(Context(model), prompts_,
                   SlotSteering(0, InterventionMode::kSwap, {0, 1, 2}), {1}));
  // Birth cities and employers differ; both work in Oslo or oslo.
  EXPECT_EQ(table.chance, (std::vector<double>{0.5, 0.5, 1}));
}

TEST_F(EvalSwapTest, OfEquallyGoodAlphasTheOneNearestToOneWins) {
  SwapTable table;
  table.alphas = {0.5, 1, 2, 50};
  for (int64_t right : {3, 3, 4, 4}) {
    HalvesCounts counts;
    counts.asked = {.tries = 5, .whole = right, .first = 0, .substring = 0};
    table.pairs.push_back(
        {{HalvesCounts(), counts}, {HalvesCounts(), HalvesCounts()}});
  }
  EXPECT_EQ(table.BestAlpha(), 2u);
}

TEST_F(EvalSwapTest, AnswersWithoutAnEditAreCountedByRelation) {
  ScriptedExecutor model =
      Model([&](int person, int relation, const Intervention* edit) {
        EXPECT_EQ(edit, nullptr);
        return relation == 1 ? std::string(" nobody")
                             : " " + set_.people[person].answers[relation];
      });
  ASSERT_OK_AND_ASSIGN(const std::vector<HalvesCounts> answers,
                       MeasureAnswers(Context(model), prompts_));
  EXPECT_EQ(answers[0].all().whole, 2);
  EXPECT_EQ(answers[1].all().whole, 0);
  EXPECT_EQ(answers[1].all().tries, 2);
  EXPECT_EQ(answers[2].never_asked.whole, 1);
}

TEST_F(EvalSwapTest, BindingComparesProbabilitiesAndThresholds) {
  ScriptedExecutor model =
      Model([](int, int, const Intervention*) { return std::string(); });
  // Right for relations 0 and 1; relation 2 comes second.
  model.read = [&](const Tokens& prompt) {
    ConceptReading reading;
    reading.values = {0.5f, 0.5f, 0.5f};
    reading.bound = true;
    for (const EvalPrompt& candidate : prompts_) {
      if (candidate.tokens != prompt) continue;
      reading.top = candidate.relation == 2 ? 0 : candidate.relation;
      reading.probabilities = {0.2f, 0.2f, 0.2f};
      reading.probabilities[reading.top] = 0.6f;
      if (candidate.relation == 2) reading.probabilities = {0.6f, 0.1f, 0.3f};
    }
    return reading;
  };
  ASSERT_OK_AND_ASSIGN(
      const BindingTable table,
      MeasureBinding(Context(model), prompts_, 0, {0.4, 0.5, 0.6}));
  EXPECT_EQ(table.all().prompts, 6);
  EXPECT_EQ(table.all().top1, 4);
  EXPECT_EQ(table.all().top2, 6);
  EXPECT_EQ(table.by_relation[2].top1, 0);
  EXPECT_EQ(table.all().own_bound, 4);  // 0.5 reaches 0.4 and 0.5, not 0.6.
  EXPECT_EQ(table.confusion[2][0], 2);
  EXPECT_EQ(table.confusion[1][1], 2);
  EXPECT_NEAR(table.by_relation[0].margin(), 0.4, 1e-6);
  EXPECT_NEAR(table.by_relation[2].margin(), -0.3, 1e-6);
}

}  // namespace
}  // namespace alignsae
