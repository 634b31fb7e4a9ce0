// Matrices, searches and side effects as people read them.

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/cli/render.h"

namespace alignsae {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename Message>
Message Parsed(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

TEST(RenderMatrixTest, IsARowForEachPairInOrder) {
  const std::vector<v1::SwapMatrixCell> cells = {
      Parsed<v1::SwapMatrixCell>(
          "index: 2 source: 'b' target: 'a' matches: false result { text: "
          "' two\\n' receipts { effects { residual_norm: 4 change_norm: 1 } } "
          "}"),
      Parsed<v1::SwapMatrixCell>(
          "index: 1 source: 'a' result { text: 'one' receipts { target_slot: 7 "
          "} }"),
      Parsed<v1::SwapMatrixCell>("baseline: true result { text: 'zero' }")};
  const auto summary =
      Parsed<v1::SwapMatrixSummary>("expected_count: 1 matched_count: 0");
  const std::string text = RenderMatrix(cells, summary);
  EXPECT_THAT(text, ContainsRegex("baseline +-"));
  EXPECT_THAT(text, ContainsRegex("a +#7"));
  EXPECT_THAT(text, ContainsRegex("0\\.250 +no"));
  EXPECT_LT(text.find("zero"), text.find("one"));
  EXPECT_LT(text.find("one"), text.find("two"));
  EXPECT_THAT(text, HasSubstr("0 of 1 swaps as expected\n"));
  EXPECT_THAT(RenderMatrix(cells, {}), Not(HasSubstr("expected")));
}

TEST(RenderFoundAlphaTest, TellsBothEndsAndWhatIsOpen) {
  auto answer = Parsed<v1::FindAlphaResponse>(
      "smallest: 0.5 largest: 16 open_above: true exact: true tries { alpha: "
      "0.5 reached: true round: 1 result { text: 'yes' } }");
  std::string text = RenderFoundAlpha(answer);
  EXPECT_THAT(text, HasSubstr("smallest: 0.5\nlargest:  16, the top of the "
                              "range\n"));
  EXPECT_THAT(text, Not(HasSubstr("ran out")));
  answer.set_exact(false);
  EXPECT_THAT(RenderFoundAlpha(answer), HasSubstr("the tries ran out"));
  answer.clear_smallest();
  answer.set_baseline_reaches(true);
  text = RenderFoundAlpha(answer);
  EXPECT_THAT(text, HasSubstr("the baseline reaches the goal already\n"));
  EXPECT_THAT(text, HasSubstr("no strength that was tried reaches the goal\n"));
}

TEST(RenderFoundAlphaTest, ABrokenTrySaysWhichLimitItPassed) {
  const std::string text = RenderFoundAlpha(Parsed<v1::FindAlphaResponse>(
      "tries { alpha: 0.5 reached: true round: 1 } tries { alpha: 2 round: 1 "
      "result { guard_stop { limit: GUARD_LIMIT_KL allowed: 0.5 value: 0.7311 "
      "position: 9 } } } tries { alpha: 4 round: 1 }"));
  EXPECT_THAT(text, ContainsRegex("0\\.5 +yes"));
  EXPECT_THAT(text, ContainsRegex("2 +KL 0\\.731 > 0\\.5"));
  EXPECT_THAT(text, ContainsRegex("4 +no"));
}

// As of a swap: "the condition held nowhere".
TEST(RenderSweepTest, ACellWhoseConditionHeldNowhereSaysSo) {
  const std::string receipt = "receipts { positions_checked: 1 condition: ";
  const std::string text = RenderSweep(
      {Parsed<v1::SweepCell>("index: 1 target: 'a' result { " + receipt +
                             "false } }"),
       Parsed<v1::SweepCell>("index: 2 target: 'b' result { " + receipt +
                             "true effects { residual_norm: 4 change_norm: 1 } "
                             "} }")});
  EXPECT_THAT(text, ContainsRegex("a .*not held"));
  EXPECT_THAT(text, ContainsRegex("b .*0\\.250"));
}

TEST(RenderEffectsTest, TellsWhatIsThere) {
  EXPECT_EQ(RenderEffects({}), "");
  const std::string text = RenderEffects(Parsed<v1::ArmResult>(
      "side_effects { mean_kl: 0.5 max_kl: 1.25 first_divergence: 0 "
      "max_norm_ratio: 0.75 off_target { concept_name: 'major' change: -0.5 "
      "relative_change: 0.25 position: 9 } } guard_stop { limit: "
      "GUARD_LIMIT_OFF_TARGET allowed: 0.2 value: 0.25 position: 9 "
      "concept_name: 'major' }"));
  EXPECT_EQ(text,
            "  guard: OFF_TARGET of 0.250 at position 9 is above 0.2 (major)\n"
            "  side effects: KL mean 0.500, largest 1.250; first other token "
            "0; norm ratio 0.750\n"
            "    major: -0.500 at position 9, 0.250 active means\n");
}

}  // namespace
}  // namespace alignsae
