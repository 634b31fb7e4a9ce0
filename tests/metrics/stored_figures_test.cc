// What is taken from a stored evaluation, and that nothing strange is.

#include "server/metrics/stored_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <string>

#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(StoredFiguresTest, ReadsTheEvaluationOfThePeople) {
  const StoredFigures stored = ReadStoredFigures(R"({
      "test": {
        "binding": {
          "diagonal_accuracy": 0.9, "bound": 0.8, "margin": -0.25,
          "by_relation": {"a": {"bound": 0.5}, "b": {"bound": 1}},
          "confusion": {"a": {"a": 6, "b": 2}, "b": {"a": 0, "b": 8}}},
        "swap": {"all": {"whole": 0.7},
                 "by_target": {"a": {"all": {"whole": 0.8}},
                               "b": {"all": {"whole": 0.6}}}}},
      "unseen": {"binding": {"diagonal_accuracy": 0.4},
                 "swap": {"all": {"whole": 0.3}}}})");
  EXPECT_THAT(stored.figures,
              ElementsAre(Pair("bound", 0.8), Pair("margin", -0.25),
                          Pair("read_accuracy", 0.9), Pair("swap_success", 0.7),
                          Pair("swap_success_worst", 0.6),
                          Pair("unseen_read_accuracy", 0.4),
                          Pair("unseen_swap_success", 0.3)));
  // Of 16 prompts, 3 + 0 and 1 + 8 on top and bound, and 4 not bound.
  EXPECT_THAT(stored.top_shares,
              ElementsAre(Pair("a", 3.0 / 16), Pair("b", 9.0 / 16)));
  EXPECT_EQ(stored.none_share, 4.0 / 16);
}

TEST(StoredFiguresTest, ReadsTheEvaluationOfLabelledPrompts) {
  const StoredFigures stored = ReadStoredFigures(R"({"prompts": {
      "prompts": 16, "negatives": 4,
      "read": {"n": 12, "rate": 0.9}, "silent": {"n": 4, "rate": 0.5},
      "concepts": {"a": {"read": {"rate": 1}, "bound": {"n": 8, "rate": 0.5}}},
      "confusion": {"a": {"a": 8}, "b": {"b": 4}},
      "swap": {"all": {"rate": 0.7},
               "targets": {"a": {"rate": 0.8}, "b": {"rate": 0.6}}}}})");
  EXPECT_THAT(
      stored.figures,
      ElementsAre(Pair("read_accuracy", 0.9), Pair("silent", 0.5),
                  Pair("swap_success", 0.7), Pair("swap_success_worst", 0.6)));
  // 4 bound, 4 not; 4 bound; 2 silent of those without a concept.
  EXPECT_THAT(stored.top_shares,
              ElementsAre(Pair("a", 4.0 / 14), Pair("b", 4.0 / 14)));
  EXPECT_EQ(stored.none_share, 6.0 / 14);
}

TEST(StoredFiguresTest, TheShippedBundleHasAllOfIt) {
  std::ifstream file(ALIGNSAE_SOURCE_DIR "/model/demo/bundle.json");
  const auto bundle = nlohmann::json::parse(file);
  const StoredFigures stored =
      ReadStoredFigures(bundle.at("evaluation").dump());
  EXPECT_EQ(stored.figures.size(), 7u);
  EXPECT_EQ(stored.top_shares.size(), bundle["saes"][0]["concepts"].size());
  const double sum = std::accumulate(
      stored.top_shares.begin(), stored.top_shares.end(), stored.none_share,
      [](double all, const auto& share) { return all + share.second; });
  EXPECT_THAT(sum, DoubleNear(1, 1e-9));
}

TEST(StoredFiguresTest, LeavesOutWhatIsNoNumberInItsRange) {
  for (const char* strange :
       {"", "no JSON", "3", "[]", "null", R"({"test": 3})",
        R"({"test": {"binding": []}})", R"({"prompts": {"confusion": 3}})",
        R"({"test": {"binding": {"bound": "0.5"}}})",
        R"({"test": {"binding": {"bound": 1.5, "margin": -2}}})",
        R"({"test": {"binding": {"diagonal_accuracy": -0.1}}})",
        R"({"test": {"binding": {"confusion": {"a": 3, "b": {"b": -1}}}}})",
        R"({"test": {"swap": {"by_target": {"a": {"all": 1}}}}})",
        R"({"prompts": {"silent": {"n": 5, "rate": 1}, "swap": null}})"}) {
    const StoredFigures stored = ReadStoredFigures(strange);
    if (std::string(strange).find("silent") == std::string::npos) {
      EXPECT_THAT(stored.figures, IsEmpty()) << strange;
    }
    EXPECT_THAT(stored.top_shares, IsEmpty()) << strange;
    EXPECT_EQ(stored.none_share, 0) << strange;
  }
}

}  // namespace
}  // namespace alignsae
