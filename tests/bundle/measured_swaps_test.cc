// Swap counts of evaluations, which are free form, and certificates beside
// them.

#include "model/bundle/measured_swaps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::IsEmpty;
using Json = nlohmann::json;

const Json kOfPeople = Json::parse(R"({
    "chosen": {"checkpoint": 0},
    "test": {"swap": {"by_target": {
        "city": {"all": {"tries": 2000, "whole": 0.9975}},
        "job": {"all": {"tries": 400, "whole": 0.25}}}}}})");

TEST(MeasuredSwapsTest, AreTheCountsBehindTheRates) {
  const auto swaps = SwapsOfEvaluation(kOfPeople);
  ASSERT_EQ(swaps.size(), 2u);
  EXPECT_EQ(swaps.at("city").n, 2000);
  EXPECT_EQ(swaps.at("city").successes, 1995);
  EXPECT_EQ(swaps.at("job").successes, 100);
  const auto of_prompts = SwapsOfEvaluation(
      {{"prompts",
        {{"swap", {{"targets", {{"x", {{"n", 3}, {"rate", 1.0 / 3}}}}}}}}}});
  EXPECT_EQ(of_prompts.at("x").n, 3);
  EXPECT_EQ(of_prompts.at("x").successes, 1);
}

TEST(MeasuredSwapsTest, WhatIsNotOfTheFormIsLeftOut) {
  for (
      const char* json :
      {"{}", R"({"test": 1})", R"({"test": {"swap": []}})",
       R"({"test": {"swap": {"by_target": 7}}})",
       R"({"test": {"swap": {"by_target": {"a": 1, "b": {"all": []}}}}})",
       R"({"test": {"swap": {"by_target": {"a": {"all": {"tries": 0,
            "whole": 1}}}}}})",
       R"({"test": {"swap": {"by_target": {"a": {"all": {"tries": 1e300,
            "whole": 1}}}}}})",
       R"({"test": {"swap": {"by_target": {"a": {"all": {"tries": 5,
            "whole": 1.5}}}}}})",
       R"({"prompts": {"swap": {"targets": {"a": {"n": "3", "rate": 1}}}}})"}) {
    EXPECT_THAT(SwapsOfEvaluation(Json::parse(json)), IsEmpty()) << json;
  }
}

TEST(MeasuredSwapsTest, ACertificateCountsAsTheEvaluationDoes) {
  Manifest manifest;
  manifest.evaluation = kOfPeople;
  manifest.saes.resize(1);
  Concept& city = manifest.saes[0].concepts.emplace_back();
  city.name = "city";
  EXPECT_OK(CheckMeasuredSwaps(manifest));
  city.certificate.emplace();
  EXPECT_OK(CheckMeasuredSwaps(manifest));
  city.certificate->measured_swap = MeasuredSwapOf(1995, 2000, 10, 200);
  EXPECT_OK(CheckMeasuredSwaps(manifest));
  city.certificate->measured_swap = MeasuredSwapOf(1996, 2000, 10, 200);
  EXPECT_THAT(
      CheckMeasuredSwaps(manifest),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "bundle.json: saes[0].concepts[0].certificate.measured_swap: "
               "must be 1995 of 2000 as in evaluation, got 1996 of 2000"));
  // An evaluation of another checkpoint says nothing about this one.
  manifest.evaluation["chosen"]["checkpoint"] = 1u;
  EXPECT_OK(CheckMeasuredSwaps(manifest));
  manifest.evaluation = Json::object();
  EXPECT_OK(CheckMeasuredSwaps(manifest));
}

}  // namespace
}  // namespace alignsae
