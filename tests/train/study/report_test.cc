#include "model/train/study/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "model/base/file.h"
#include "model/train/study/plan.h"
#include "model/train/study/study_plots.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

class StudyReportTest : public ::testing::Test {
 protected:
  StudyReportTest() : directory_("study") {
    index_ = IndexOf(
        *ParseStudyPlan(
            "plan", Json::parse(R"({"name": "p", "axes": {"perp": [0, 1]}})"),
            {.sae = {}, .eval = {}, .layers = 3, .seeds = 2, .subject = "s"}),
        "alignsae-train study p");
    std::filesystem::create_directories(directory_.File("cells"));
  }

  void Write(int cell, const Json& record) {
    ASSERT_OK(WriteFileAtomically(
        CellPath(directory_.path(), index_.cells[cell].id), record.dump()));
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
             {{"training",
               {{"epoch", 9}, {"recon", fvu}, {"total", 1}, {"aux", 2}}},
              {"test", part},
              {"unseen", part},
              {"chosen", {{"mode", "SWAP"}, {"alpha", 1}}}}}};
  }

  TemporaryDirectory directory_;
  StudyIndex index_;
};

TEST_F(StudyReportTest, SeedsArePooledAndGapsCounted) {
  Write(0, Figures(0.5, 0.1));
  Write(1, Figures(0.7, 0.3));
  Write(2, {{"refused", "steering: must be possible"}});
  ASSERT_OK_AND_ASSIGN(const Json summary,
                       SummarizeStudy(index_, directory_.path()));
  EXPECT_EQ(summary["missing"], 1);
  const Json& first = summary["settings"][0];
  ASSERT_EQ(first["cells"].size(), 2u);
  const Json& cell = first["cells"][1];
  EXPECT_EQ(cell["seed"], 2);
  EXPECT_EQ(cell["command"],
            "alignsae-train study p --cell " + index_.cells[1].id);
  EXPECT_EQ(cell["swap"]["n"], 200);
  EXPECT_LT(cell["swap"]["low"], 0.7);
  EXPECT_GT(cell["swap"]["high"], 0.7);
  EXPECT_DOUBLE_EQ(first["terms"]["recon"]["mean"], 0.2);
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
  // Of the terms only those that were computed have a column.
  EXPECT_THAT(text, HasSubstr("| setting | total | recon | aux |\n"));
  EXPECT_THAT(text, HasSubstr("| perp 0 | 1 | 0.2 [0.1, 0.3] | 2 |\n"));
  // The plots have each setting that was measured.
  const auto plots = StudyPlots(summary);
  EXPECT_THAT(plots.at("swap"), HasSubstr("\n0 \"perp 0\" 1 "));
  EXPECT_THAT(plots.at("swap"), ::testing::Not(HasSubstr("perp 1")));
  EXPECT_EQ(plots.count("alphas"), 0u);  // One row is no map.
}

TEST_F(StudyReportTest, FailureSignaturesAreNamedWithWhatToChange) {
  Write(0, Figures(0.3, 0.1));
  Write(1, Figures(0.1, 0.1));
  Json good = Figures(0.9, 0.1);
  good["figures"]["test"]["swap"]["alpha_curve"].erase(1);
  Write(2, good);
  ASSERT_OK_AND_ASSIGN(const Json summary,
                       SummarizeStudy(index_, directory_.path()));
  const Json& seen = summary["settings"][0]["signatures"];
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0]["name"], "high_binding_low_swap");
  EXPECT_EQ(seen[0]["cells"], 2);
  EXPECT_EQ(seen[1]["name"], "wrong_category_at_large_alpha");
  EXPECT_EQ(seen[1]["cells"], 1);  // 0.1 is too little to collapse.
  EXPECT_TRUE(summary["settings"][1]["signatures"].empty());
  const std::string text = RenderStudy(summary);
  EXPECT_THAT(text, HasSubstr("\n## Failure signatures\n\n- perp 0, 2 of 2 "
                              "cells: **high_binding_low_swap**: slots read "
                              "1.000 of prompts, but swaps succeed in 0.300"));
  EXPECT_THAT(text, HasSubstr("Change: let the slots write: --prefix 0.1"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("- perp 1")));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("No cell shows one")));
}

TEST_F(StudyReportTest, WithoutAFailureSignatureThatIsSaid) {
  Json good = Figures(0.9, 0.1);
  good["figures"]["test"]["swap"]["alpha_curve"].erase(1);
  Write(0, good);
  ASSERT_OK_AND_ASSIGN(const Json summary,
                       SummarizeStudy(index_, directory_.path()));
  EXPECT_THAT(RenderStudy(summary),
              HasSubstr("\n## Failure signatures\n\nNo cell shows one.\n"));
}

TEST_F(StudyReportTest, ADamagedCellIsNotTakenForAMissingOne) {
  Write(0, {{"figure", 1}});
  EXPECT_THAT(SummarizeStudy(index_, directory_.path()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cells/")));
}

TEST_F(StudyReportTest, WritesItsFiles) {
  Write(0, Figures(0.5, 0.1));
  EXPECT_THAT(WriteStudyReports(directory_.path(), ""),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("must be the --work of a study")));
  ASSERT_OK(WriteStudyIndex(directory_.path(), index_));
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> reports,
                       WriteStudyReports(directory_.path(), ""));
  EXPECT_THAT(reports, ::testing::ElementsAre(directory_.File("p/report.md")));
  for (const char* name : {"study.json", "report.md", "swap.gp"}) {
    EXPECT_TRUE(FileExists(directory_.File(std::string("p/") + name))) << name;
  }
  // With gnuplot there are pictures; without, a sentence says so.
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(reports[0]));
  EXPECT_THAT(text, HasSubstr(FileExists(directory_.File("p/swap.svg"))
                                  ? "![swap by setting](swap.svg)"
                                  : "gnuplot is not installed"));
  ASSERT_OK(WriteFileAtomically(directory_.File("p/cells.json"), "{}"));
  EXPECT_THAT(WriteStudyReports(directory_.path(), "").status(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cells.json")));
}

TEST_F(StudyReportTest, ManyValuesOfANumberAreALine) {
  const StudyIndex index = IndexOf(
      *ParseStudyPlan("plan", Json::parse(R"({"name": "q", "axes": {
                          "perp": [0, 1, 100], "activation": ["relu"]}})"),
                      {.sae = {}, .eval = {}, .layers = 3, .subject = "s"}),
      "c");
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_OK(WriteFileAtomically(
        CellPath(directory_.path(), index.cells[i].id),
        Figures(0.25 * static_cast<double>(i), 0.1).dump()));
  }
  ASSERT_OK_AND_ASSIGN(const Json summary,
                       SummarizeStudy(index, directory_.path()));
  EXPECT_THAT(
      RenderStudy(summary),
      HasSubstr("| activation relu | 3 | 1.000 [0.987, 1.000] | 0.250 ["));
  const auto plots = StudyPlots(summary);
  EXPECT_THAT(plots.at("alphas"),
              HasSubstr("\"alpha\" \"1\" \"2\"\n"
                        "\"perp 0, activation relu\" 0 0\n"));
  const std::string& plot = plots.at("swap");
  EXPECT_THAT(plot, HasSubstr("$swap0 << END\n0 0 "));
  EXPECT_THAT(plot, HasSubstr("\n100 0.5 0."));
  EXPECT_THAT(plot, HasSubstr("set logscale x"));
  EXPECT_THAT(plot, HasSubstr("title \"activation relu\""));
}

}  // namespace
}  // namespace alignsae
