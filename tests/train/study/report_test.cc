#include "model/train/study/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "model/base/file.h"
#include "model/train/study/run.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

class StudyReportTest : public ::testing::Test {
 protected:
  StudyReportTest() : directory_("study") {
    plan_ = *ParseStudyPlan(
        "plan", Json::parse(R"({"name": "p", "axes": {"perp": [0, 1]}})"),
        {.sae = {}, .eval = {}, .layers = 3, .seeds = 2, .subject = "s"});
    std::filesystem::create_directories(directory_.File("cells"));
  }

  void Write(int cell, const Json& record) {
    ASSERT_OK(WriteFileAtomically(
        CellPath(directory_.path(), plan_.cells[cell]), record.dump()));
  }
  static Json Figures(double swap, double fvu) {
    const Json part = {
        {"binding", {{"prompts", 100}, {"diagonal_accuracy", 1.0}}},
        {"swap",
         {{"all", {{"tries", 200}, {"whole", swap}}},
          {"alpha_curve",
           {{{"alpha", 1}, {"whole", swap}}, {{"alpha", 2}, {"whole", 0}}}}}},
        {"written", {{"cosine", 0.9}, {"written_share", 0.8}}},
        {"dictionary",
         {{"fvu", fvu},
          {"l0", 3},
          {"effective_features", 2},
          {"effective_slots", 1}}}};
    return {{"figures",
             {{"test", part},
              {"unseen", part},
              {"chosen", {{"mode", "SWAP"}, {"alpha", 1}}}}}};
  }

  TemporaryDirectory directory_;
  StudyPlan plan_;
};

TEST_F(StudyReportTest, SeedsArePooledAndGapsCounted) {
  Write(0, Figures(0.5, 0.1));
  Write(1, Figures(0.7, 0.3));
  Write(2, {{"refused", "steering: must be possible"}});
  ASSERT_OK_AND_ASSIGN(const Json summary,
                       SummarizeStudy(plan_, directory_.path()));
  EXPECT_EQ(summary["missing"], 1);
  const Json& first = summary["settings"][0];
  EXPECT_EQ(first["seeds"], Json({1, 2}));
  EXPECT_EQ(first["swap"]["n"], 400);
  EXPECT_DOUBLE_EQ(first["swap"]["rate"], 0.6);
  EXPECT_LT(first["swap"]["low"], 0.6);
  EXPECT_GT(first["swap"]["high"], 0.6);
  EXPECT_DOUBLE_EQ(first["fvu"]["mean"], 0.2);
  EXPECT_DOUBLE_EQ(first["fvu"]["max"], 0.3);
  EXPECT_DOUBLE_EQ(first["alpha_curve"][0]["swap"], 0.6);
  EXPECT_EQ(summary["settings"][1]["refused"][0], "steering: must be possible");
  EXPECT_FALSE(summary["settings"][1].contains("swap"));
  const std::string text = RenderStudy(summary);
  EXPECT_THAT(text, HasSubstr("1 cells have not been measured"));
  EXPECT_THAT(text, HasSubstr("| perp 0 | 2 | 1.000 [0.981, 1.000] | 0.600 ["));
  EXPECT_THAT(text, HasSubstr("| perp 1 | 0 | refused: steering"));
  // The plot has a line for each setting that was measured.
  const std::string plot = StudyPlot(summary, "out.svg");
  EXPECT_THAT(plot, HasSubstr("\n0 \"perp 0\" 1 "));
  EXPECT_THAT(plot, ::testing::Not(HasSubstr("perp 1")));
}

TEST_F(StudyReportTest, ADamagedCellIsNotTakenForAMissingOne) {
  Write(0, {{"figure", 1}});
  EXPECT_THAT(SummarizeStudy(plan_, directory_.path()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cells/")));
}

TEST_F(StudyReportTest, WritesItsFiles) {
  Write(0, Figures(0.5, 0.1));
  ASSERT_OK(WriteStudyReport(plan_, directory_.path()));
  for (const char* name : {"study.json", "report.md", "swap.gp"}) {
    EXPECT_TRUE(FileExists(directory_.File(std::string("p/") + name))) << name;
  }
}

}  // namespace
}  // namespace alignsae
