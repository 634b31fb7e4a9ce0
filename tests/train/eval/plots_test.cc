#include "model/train/eval/plots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

nlohmann::json Evaluation() {
  return nlohmann::json::parse(R"({
    "selection": {"layers": [
      {"hook": "resid_post[0]", "whole": 0.5, "diagonal_accuracy": 0.75},
      {"hook": "resid_post[1]", "whole": 0.875, "diagonal_accuracy": 1}]},
    "test": {
      "swap": {"alpha_curve": [{"alpha": 0.5, "whole": 0.25},
                               {"alpha": 2, "whole": 1}]},
      "binding": {"confusion": {"birth city": {"birth city": 3, "b\"x": 1},
                                "b\"x": {"birth city": 0, "b\"x": 0}}}},
    "baselines": {"class_means": {"swap": {"alpha_curve": [
      {"alpha": 1, "whole": 0.5}]}}}})");
}

TEST(PlotsTest, ScriptsHaveTheFigures) {
  const auto scripts = PlotScripts(Evaluation());
  ASSERT_EQ(scripts.size(), 3u);
  EXPECT_THAT(scripts.at("layers.svg"),
              HasSubstr("\"resid_post[1]\" 0.875 1\n"));
  EXPECT_THAT(scripts.at("alphas.svg"), HasSubstr("0.5 0.25\n2 1\n"));
  EXPECT_THAT(scripts.at("alphas.svg"), HasSubstr("\"class_means\""));
  EXPECT_THAT(scripts.at("confusion.svg"),
              HasSubstr("\"birth city\" 0.25 0.75\n"));
  EXPECT_THAT(scripts.at("confusion.svg"), HasSubstr("\"b'x\" 0 0\n"));
}

TEST(PlotsTest, WhatIsNotMeasuredIsNotDrawn) {
  EXPECT_THAT(PlotScripts(nlohmann::json::object()), IsEmpty());
  EXPECT_THAT(
      PlotScripts({{"selection", {{"layers", nlohmann::json::array()}}}}),
      IsEmpty());
}

TEST(PlotsTest, DrawsPicturesWithGnuplot) {
  const std::string directory = ::testing::TempDir() + "plots_test";
  const auto drawn = DrawPlots(Evaluation(), directory);
  if (absl::IsNotFound(drawn.status())) GTEST_SKIP() << drawn.status();
  ASSERT_OK(drawn.status());
  EXPECT_THAT(*drawn, ElementsAre("alphas.svg", "confusion.svg", "layers.svg"));
  for (const std::string& file : *drawn) {
    ASSERT_OK_AND_ASSIGN(const std::string svg,
                         ReadFile(absl::StrCat(directory, "/", file)));
    EXPECT_THAT(svg, HasSubstr("<svg"));
    EXPECT_THAT(svg, HasSubstr("</svg>"));
  }
}

TEST(PlotsTest, WithoutGnuplotASentenceSaysWhatIsMissing) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  const auto drawn =
      DrawPlots(Evaluation(), ::testing::TempDir() + "plots_test_none");
  setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(drawn.status(), StatusIs(absl::StatusCode::kNotFound,
                                       HasSubstr("gnuplot must be installed")));
}

}  // namespace
}  // namespace alignsae
