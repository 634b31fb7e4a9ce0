#include "model/train/study/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "model/train/study/report.h"
#include "model/train/study/run.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Json = nlohmann::ordered_json;

StudyDefaults Defaults() {
  return {.sae = {},
          .eval = {},
          .layers = 3,
          .concepts = 100,
          .seeds = 2,
          .subject = "s"};
}

absl::StatusOr<StudyPlan> Parse(const std::string& text,
                                StudyDefaults defaults = Defaults()) {
  return ParseStudyPlan("plan", Json::parse(text), defaults);
}

TEST(ParseStudyPlanTest, CellsAreTheProductOfAxesVariantsAndSeeds) {
  ASSERT_OK_AND_ASSIGN(const StudyPlan plan,
                       Parse(R"({"name": "p", "base": {"stage2_epochs": 7},
                "eval": {"sample": 5},
                "axes": {"perp": [0, 1], "layer": [0, 2]},
                "variants": {"full": {}, "narrow": {"free_features": 9}}})"));
  EXPECT_THAT(plan.axes, ElementsAre("perp", "layer", "variant"));
  ASSERT_THAT(plan.cells, SizeIs(2 * 2 * 2 * 2));
  std::set<std::string> ids;
  for (const StudyCell& cell : plan.cells) {
    ids.insert(cell.id);
    EXPECT_EQ(cell.sae.stage2_epochs, 7);
    EXPECT_EQ(cell.eval.sample, 5);
  }
  EXPECT_THAT(ids, SizeIs(16));
  const StudyCell& last = plan.cells.back();
  EXPECT_EQ(last.settings.dump(), R"({"perp":1,"layer":2,"variant":"narrow"})");
  EXPECT_EQ(last.sae.perp, 1);
  EXPECT_EQ(last.sae.free_features, 9);
  EXPECT_EQ(last.sae.seed, 2u);
  EXPECT_EQ(last.hook, (HookPoint{HookKind::kResidPost, 2}));
  EXPECT_EQ(plan.cells[0].settings, plan.cells[1].settings);  // Seeds.
}

TEST(ParseStudyPlanTest, TheIdIsOfAllThatDecidesTheFigures) {
  const std::string text = R"({"name": "p", "axes": {"perp": [1]}})";
  const std::string id = Parse(text)->cells[0].id;
  EXPECT_EQ(Parse(R"({"name": "q", "base": {"perp": 1}})")->cells[0].id, id);
  StudyDefaults other = Defaults();
  other.subject = "t";
  EXPECT_NE(Parse(text, other)->cells[0].id, id);
  other = Defaults();
  other.sae.val = 0.25;
  EXPECT_NE(Parse(text, other)->cells[0].id, id);
  other = Defaults();
  other.eval.sample = 3;
  EXPECT_NE(Parse(text, other)->cells[0].id, id);
  EXPECT_NE(Parse(text)->cells[1].id, id);
}

TEST(ParseStudyPlanTest, LayersBeyondTheModelAreLeftOut) {
  ASSERT_OK_AND_ASSIGN(
      const StudyPlan plan,
      Parse(R"({"name": "p", "axes": {"layer": [1, 2, 3, 4]}})"));
  EXPECT_THAT(plan.cells, SizeIs(4));
  EXPECT_THAT(Parse(R"({"name": "p", "axes": {"layer": [3]}})"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("layer: must be below 3")));
}

TEST(ParseStudyPlanTest, WhatIsWrongIsNamed) {
  const auto expect = [](const std::string& text, const std::string& words) {
    EXPECT_THAT(Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(words)))
        << text;
  };
  expect(R"({"axes": {}})", "plan: name: must be");
  expect(R"({"name": "a/b"})", "plan: name: must be letters, digits, - and _");
  expect(R"({"name": "p", "axes": {"method": ["best"]}})",
         "{\"method\":\"best\"}: method: must be one of sae, class_means");
  expect(R"({"name": "p", "axis": {}})", "\"axis\": must not be there");
  expect(R"({"name": "p", "axes": []})", "plan: axes: must be an object");
  expect(R"({"name": "p", "axes": {"perp": 1}})",
         "plan: axes.perp: must be an array");
  expect(R"({"name": "p", "axes": {"perp": []}})",
         "plan: axes.perp: must have values");
  expect(R"({"name": "p", "axes": {"purp": [1]}})",
         "plan: axes.purp: \"purp\": must be the name of an option");
  expect(R"({"name": "p", "base": {"perp": "x"}})",
         "plan: base: perp: must be a number, got \"x\"");
  expect(R"({"name": "p", "base": {"batch_size": 1.5}})",
         "plan: base: batch_size: must be a whole number, got 1.5");
  expect(R"({"name": "p", "axes": {"perp": [-1]}})",
         "{\"perp\":-1}: perp: must be in [0, ");
  expect(R"({"name": "p", "axes": {"hook": ["hook_z"]}})",
         "hook: must be resid_pre, attn_out, resid_mid, mlp_out or resid_post");
  expect(R"({"name": "p", "axes": {"layer": [-1]}})",
         "layer: must be in [0, 4095], got -1");
}

TEST(ParseStudyPlanTest, OneOverTheWidthIsANumber) {
  StudyDefaults defaults = Defaults();
  defaults.width = 8;
  ASSERT_OK_AND_ASSIGN(const StudyPlan plan,
                       Parse(R"({"name": "p", "base": {"recon": "1/D"},
                "variants": {"a": {"prefix": "1/D"}}})",
                             defaults));
  EXPECT_EQ(plan.cells[0].sae.recon, 0.125);
  EXPECT_EQ(plan.cells[0].sae.prefix, 0.125);
}

TEST(ParseStudyPlanTest, KeptEpochsAreWhatTheModelHas) {
  const std::string text = R"({"name": "p", "axes": {"epoch": "kept"}})";
  EXPECT_THAT(Parse(text),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must have kept checkpoints (lm --keep-every "
                                 "N), got none")));
  StudyDefaults defaults = Defaults();
  defaults.kept = {{5, "five"}, {10, "ten"}};
  ASSERT_OK_AND_ASSIGN(const StudyPlan plan, Parse(text, defaults));
  ASSERT_THAT(plan.cells, SizeIs(4));
  EXPECT_EQ(plan.cells.back().own.epoch, 10);
  const std::string id = plan.cells.back().id;
  defaults.kept[10] = "other weights";
  EXPECT_NE(Parse(text, defaults)->cells.back().id, id);
  EXPECT_THAT(Parse(R"({"name": "p", "axes": {"epoch": [7]}})", defaults),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("{\"epoch\":7}: epoch: must be one that")));
}

TEST(ReadStudyPlanTest, EveryBuiltInPlanIsSound) {
  StudyDefaults defaults = Defaults();
  defaults.kept = {{5, "five"}};
  for (const char* name :
       {"layers", "losses", "curriculum", "robustness", "alphas", "width",
        "labels", "baselines", "authors", "checkpoints", "hops", "concepts"}) {
    EXPECT_THAT(StudyPlanNames(), ::testing::Contains(name));
  }
  for (const std::string& name : StudyPlanNames()) {
    ASSERT_OK_AND_ASSIGN(const StudyPlan plan, ReadStudyPlan(name, defaults));
    EXPECT_EQ(plan.name, name);
    EXPECT_FALSE(plan.about.empty()) << name;
    EXPECT_FALSE(plan.cells.empty());
  }
  EXPECT_THAT(ReadStudyPlan("nothing", Defaults()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("plan: must be one of alphas, ")));
}

TEST(ParseStudyShardTest, IsOneOfSeveral) {
  ASSERT_OK_AND_ASSIGN(const StudyShard shard, ParseStudyShard("2/3"));
  EXPECT_EQ(shard.index, 2);
  EXPECT_EQ(shard.count, 3);
  EXPECT_EQ(ParseStudyShard("0/3")->index, 3);  // Arrays that count from 0.
  for (const char* bad : {"", "1", "-1/3", "4/3", "a/3", "1/2/3", "0/0"}) {
    EXPECT_THAT(ParseStudyShard(bad),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("shard: must be i/n")))
        << bad;
  }
}

}  // namespace
}  // namespace alignsae
