#include "model/train/eval/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/train/eval/compare.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kTwo = {"birth_city", "employer"};

// At alpha 0.5 and 1: asked 1/4 and 4/4, never asked 0/4 and 2/4 for both
// pairs.
SwapTable TwoRelations() {
  SwapTable table;
  table.alphas = {0.5, 1};
  for (int64_t right : {1, 4}) {
    HalvesCounts counts;
    counts.asked = {.tries = 4, .whole = right, .first = 4, .substring = right};
    counts.never_asked = {
        .tries = 4, .whole = right / 2, .first = 3, .substring = 4};
    table.pairs.push_back({{HalvesCounts(), counts}, {counts, HalvesCounts()}});
  }
  return table;
}

nlohmann::json SmallEvaluation() {
  nlohmann::json evaluation;
  HalvesCounts answers;
  answers.asked = {.tries = 3, .whole = 2, .first = 3, .substring = 3};
  evaluation["language_model"]["test"] =
      AnswersToJson({answers, answers}, kTwo);
  evaluation["selection"]["layers"] = nlohmann::json::array(
      {{{"hook", "resid_post[1]"}, {"mode", "SWAP"}, {"alpha", 1}}});
  BindingTable binding;
  binding.by_relation.resize(2);
  binding.confusion = {{3, 1}, {0, 4}};
  binding.asked = {.prompts = 8,
                   .top1 = 7,
                   .top2 = 8,
                   .top3 = 8,
                   .bound = 8,
                   .own_bound = 6,
                   .margin_sum = 4};
  evaluation["test"]["binding"] = BindingToJson(binding, kTwo);
  evaluation["test"]["swap"] =
      SwapsToJson(TwoRelations(), 1, InterventionMode::kSwap, kTwo);
  evaluation["baselines"]["class_means"]["swap"] =
      SwapsToJson(TwoRelations(), 0, InterventionMode::kAdd, kTwo);
  return evaluation;
}

TEST(EvalReportTest, SwapsHaveHalvesTargetsPairsAndTheWholeCurve) {
  const nlohmann::json json =
      SwapsToJson(TwoRelations(), 1, InterventionMode::kSwap, kTwo);
  EXPECT_EQ(json["mode"], "SWAP");
  EXPECT_EQ(json["alpha"], 1);
  EXPECT_EQ(json["all"]["whole"], 0.75);
  EXPECT_EQ(json["all"]["tries"], 16);
  EXPECT_EQ(json["asked"]["whole"], 1);
  EXPECT_EQ(json["never_asked"]["whole"], 0.5);
  EXPECT_EQ(json["never_asked"]["first"], 0.75);
  EXPECT_EQ(json["by_target"]["employer"]["all"]["whole"], 0.75);
  EXPECT_EQ(json["pairs"].size(), 2u);
  EXPECT_EQ(json["pairs"]["birth_city -> employer"]["tries"], 8);
  ASSERT_EQ(json["alpha_curve"].size(), 2u);
  EXPECT_EQ(json["alpha_curve"][0]["alpha"], 0.5);
  EXPECT_EQ(json["alpha_curve"][0]["whole"], 0.125);
  EXPECT_EQ(json["alpha_curve"][0]["substring"], 0.625);
  EXPECT_EQ(json["alpha_curve"][1]["by_target"]["birth_city"], 0.75);
}

TEST(EvalReportTest, SwapsAreToldBeyondChanceByTargetAndInAll) {
  SwapTable table = TwoRelations();
  table.chance = {0.5, 1};
  const nlohmann::json json =
      SwapsToJson(table, 1, InterventionMode::kSwap, kTwo);
  EXPECT_EQ(json["by_target"]["birth_city"]["chance"], 0.5);
  EXPECT_EQ(json["by_target"]["birth_city"]["above_chance"], 0.5);
  EXPECT_TRUE(json["by_target"]["employer"]["above_chance"].is_null());
  EXPECT_EQ(json["chance"], 0.75);  // Both targets were tried as often.
  EXPECT_EQ(json["above_chance"], 0);
}

TEST(EvalReportTest, EverySplitThatWasMeasuredHasItsTables) {
  nlohmann::json evaluation = SmallEvaluation();
  evaluation["families"] = evaluation["test"];
  evaluation["language_model"]["families"] =
      evaluation["language_model"]["test"];
  evaluation["by_hand"] = evaluation["test"];
  const std::string text = RenderEvaluation(evaluation);
  EXPECT_THAT(text, AllOf(HasSubstr("  relation     test  families\n"),
                          HasSubstr("  employer    0.667     0.667\n"),
                          HasSubstr("Binding, families wordings"),
                          HasSubstr("Swap success, by_hand wordings"),
                          HasSubstr("above chance"),
                          Not(HasSubstr("synonyms wordings"))));
}

TEST(EvalReportTest, RatesAreRoundedToFourDecimals) {
  EXPECT_EQ(Rounded(2.0 / 3), 0.6667);
  HalvesCounts counts;
  counts.asked = {.tries = 3, .whole = 1, .first = 0, .substring = 0};
  EXPECT_EQ(HalvesToJson(counts)["all"]["whole"], 0.3333);
  EXPECT_EQ(HalvesToJson(counts)["never_asked"]["whole"], 0);  // No tries.
}

TEST(EvalReportTest, TablesShowEveryPartThatIsThere) {
  const std::string text = RenderEvaluation(SmallEvaluation());
  EXPECT_THAT(text, AllOf(HasSubstr("Language model, answers without an edit"),
                          HasSubstr("Chosen on validation wordings"),
                          HasSubstr("Binding, test wordings"),
                          HasSubstr("Swap success, test wordings: SWAP at "
                                    "alpha 1.00"),
                          HasSubstr("Swap success by pair"),
                          HasSubstr("class_means"), HasSubstr("0.750")));
  EXPECT_THAT(text, Not(HasSubstr("unseen")));
  EXPECT_THAT(text, Not(HasSubstr(" \n")));
}

TEST(EvalReportTest, WhateverTheJsonHoldsTheTableDoesNotThrow) {
  for (const char* text :
       {"null", "[]", "3", R"({"test": 1})", R"({"test": {}})",
        R"({"test": {"binding": [], "swap": {"alpha_curve": 5}}})",
        R"({"selection": {"layers": {}}})", R"({"baselines": {"a": 1}})",
        R"({"language_model": {"test": "x"}})",
        R"({"test": {"swap": {"by_target": {"a": 1}, "pairs": []}}})"}) {
    EXPECT_NO_THROW(RenderEvaluation(nlohmann::json::parse(text))) << text;
  }
}

TEST(CompareEvaluationsTest, NamesEveryFigureThatIsOff) {
  const nlohmann::json stored = SmallEvaluation();
  EXPECT_OK(CompareEvaluations(stored, stored, 0));
  nlohmann::json fresh = stored;
  fresh["test"]["swap"]["all"]["whole"] = 0.70;
  fresh["test"]["swap"]["by_target"]["employer"]["all"]["whole"] = 0.5;
  fresh["test"]["swap"]["all"]["first"] = 0;  // Not compared.
  EXPECT_OK(CompareEvaluations(stored, fresh, 0.3));
  EXPECT_THAT(
      CompareEvaluations(stored, fresh, 0.02),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("/test/swap/all/whole: stored 0.75, got 0.7"),
                     HasSubstr("/test/swap/by_target/employer/all/whole"),
                     Not(HasSubstr("binding")))));
  fresh = stored;
  fresh["test"].erase("binding");
  EXPECT_THAT(CompareEvaluations(stored, fresh, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("/test/binding/diagonal_accuracy")));
}

}  // namespace
}  // namespace alignsae
