#include "model/steering/intervention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Prompt = PositionSelection::Prompt;

constexpr int64_t kFarthest = std::numeric_limits<int64_t>::max();

PositionSelection Select(Prompt prompt, bool generated = false) {
  PositionSelection selection;
  selection.prompt = prompt;
  selection.generated = generated;
  return selection;
}

PositionSelection List(std::vector<int64_t> positions) {
  return {.prompt = Prompt::kList, .list = std::move(positions)};
}

PositionSelection Window(int64_t start, int64_t stop) {
  return {.prompt = Prompt::kWindow, .list = {}, .start = start, .stop = stop};
}

TEST(ResolvePositionsTest, LastIsTheDefault) {
  ASSERT_OK_AND_ASSIGN(const ResolvedPositions resolved,
                       ResolvePositions({}, 5));
  EXPECT_THAT(resolved.prompt, ElementsAre(4));
  EXPECT_FALSE(resolved.generated);
}

TEST(ResolvePositionsTest, AllIsEveryPromptPosition) {
  ASSERT_OK_AND_ASSIGN(const ResolvedPositions resolved,
                       ResolvePositions(Select(Prompt::kAll), 3));
  EXPECT_THAT(resolved.prompt, ElementsAre(0, 1, 2));
}

TEST(ResolvePositionsTest, ListIsSortedDistinctAndCountsFromTheEnd) {
  ASSERT_OK_AND_ASSIGN(const ResolvedPositions resolved,
                       ResolvePositions(List({3, -1, 0, 4, -5, 3}), 5));
  EXPECT_THAT(resolved.prompt, ElementsAre(0, 3, 4));
}

TEST(ResolvePositionsTest, WindowExcludesItsStopAndCountsFromTheEnd) {
  const auto resolve = [](int64_t start, int64_t stop) {
    return ResolvePositions(Window(start, stop), 5).value().prompt;
  };
  EXPECT_THAT(resolve(1, 3), ElementsAre(1, 2));
  EXPECT_THAT(resolve(3, 5), ElementsAre(3, 4));
  EXPECT_THAT(resolve(-2, 5), ElementsAre(3, 4));
  EXPECT_THAT(resolve(-5, -3), ElementsAre(0, 1));
  EXPECT_THAT(resolve(0, 5), SizeIs(5));
}

TEST(ResolvePositionsTest, GeneratedTokensAloneAreEnough) {
  ASSERT_OK_AND_ASSIGN(
      const ResolvedPositions resolved,
      ResolvePositions(Select(Prompt::kNone, /*generated=*/true), 5));
  EXPECT_THAT(resolved.prompt, IsEmpty());
  EXPECT_TRUE(resolved.generated);
}

TEST(ResolvePositionsTest, GeneratedTokensCanJoinPromptTokens) {
  ASSERT_OK_AND_ASSIGN(
      const ResolvedPositions resolved,
      ResolvePositions(Select(Prompt::kLast, /*generated=*/true), 2));
  EXPECT_THAT(resolved.prompt, ElementsAre(1));
  EXPECT_TRUE(resolved.generated);
}

struct BadSelection {
  PositionSelection selection;
  int prompt_length = 5;
  std::string error;

  friend std::ostream& operator<<(std::ostream& os, const BadSelection& bad) {
    return os << bad.error;
  }
};

class BadSelectionTest : public ::testing::TestWithParam<BadSelection> {};

TEST_P(BadSelectionTest, IsRefusedWithItsRule) {
  EXPECT_THAT(ResolvePositions(GetParam().selection, GetParam().prompt_length),
              StatusIs(absl::StatusCode::kInvalidArgument, GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadSelectionTest,
    ::testing::Values(
        BadSelection{Select(Prompt::kNone), 5,
                     "positions: must select prompt tokens or generated "
                     "tokens, got neither"},
        BadSelection{Select(static_cast<Prompt>(9)), 5,
                     "positions: must be NONE, LAST, ALL, LIST or WINDOW, got "
                     "9"},
        BadSelection{Select(Prompt::kLast), 0,
                     "prompt: must hold at least one token, got 0"},
        BadSelection{List({}), 5,
                     "positions.list: must hold at least one position, got "
                     "none"},
        BadSelection{Select(Prompt::kList, /*generated=*/true), 5,
                     "positions.list: must hold at least one position, got "
                     "none"},
        BadSelection{List({0, 5}), 5,
                     "positions.list[1]: must be in [-5, 4], got 5; the prompt "
                     "has 5 tokens"},
        BadSelection{List({-2}), 1,
                     "positions.list[0]: must be in [-1, 0], got -2; the "
                     "prompt has 1 token"},
        BadSelection{List({kFarthest}), 5,
                     "positions.list[0]: must be in [-5, 4], got "
                     "9223372036854775807; the prompt has 5 tokens"},
        BadSelection{List({-kFarthest - 1}), 5,
                     "positions.list[0]: must be in [-5, 4], got "
                     "-9223372036854775808; the prompt has 5 tokens"},
        BadSelection{Window(5, 5), 5,
                     "positions.window.start: must be in [-5, 4], got 5; the "
                     "prompt has 5 tokens"},
        BadSelection{Window(-6, 5), 5,
                     "positions.window.start: must be in [-5, 4], got -6; the "
                     "prompt has 5 tokens"},
        BadSelection{Window(0, 6), 5,
                     "positions.window.stop: must be in [-5, 5], got 6; the "
                     "prompt has 5 tokens"},
        BadSelection{Window(3, 3), 5,
                     "positions.window: must have start below stop, got [3, "
                     "3), which is [3, 3) of 5 tokens"},
        BadSelection{Window(-1, 2), 5,
                     "positions.window: must have start below stop, got [-1, "
                     "2), which is [4, 2) of 5 tokens"},
        BadSelection{Window(0, 0), 1,
                     "positions.window: must have start below stop, got [0, "
                     "0), which is [0, 0) of 1 token"}));

TEST(InterventionTest, AppliesAtItsPromptPositionsAndGeneratedTokensIfAsked) {
  Intervention intervention;
  intervention.positions.prompt = {1, 3};
  EXPECT_FALSE(intervention.AppliesAt(0, 4));
  EXPECT_TRUE(intervention.AppliesAt(1, 4));
  EXPECT_FALSE(intervention.AppliesAt(2, 4));
  EXPECT_TRUE(intervention.AppliesAt(3, 4));
  EXPECT_FALSE(intervention.AppliesAt(4, 4));
  intervention.positions.generated = true;
  EXPECT_FALSE(intervention.AppliesAt(2, 4));
  EXPECT_TRUE(intervention.AppliesAt(4, 4));
  EXPECT_TRUE(intervention.AppliesAt(100, 4));
}

TEST(InterventionModeTest, NamesRoundTrip) {
  for (absl::string_view name : {"ADD", "ADD_NORM_MATCHED", "SET", "MULTIPLY",
                                 "ABLATE", "SWAP", "REPLACE"}) {
    ASSERT_OK_AND_ASSIGN(const InterventionMode mode,
                         ParseInterventionMode(name));
    EXPECT_EQ(InterventionModeName(mode), name);
  }
  EXPECT_THAT(ParseInterventionMode("swap"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "mode: must be one of ADD, ADD_NORM_MATCHED, SET, "
                       "MULTIPLY, ABLATE, SWAP, REPLACE, got \"swap\""));
}

TEST(InterventionModeTest, SwapAndReplaceHaveTwoSlots) {
  int two_slots = 0;
  for (int mode = 0; mode <= static_cast<int>(InterventionMode::kReplace);
       ++mode) {
    two_slots += IsTwoSlotMode(static_cast<InterventionMode>(mode));
  }
  EXPECT_EQ(two_slots, 2);
  EXPECT_TRUE(IsTwoSlotMode(InterventionMode::kSwap));
  EXPECT_TRUE(IsTwoSlotMode(InterventionMode::kReplace));
}

InterventionReceipt ReceiptOf(int first, int count) {
  InterventionReceipt receipt;
  receipt.positions_applied = count;
  for (int i = 0; i < count && i < kMaxReceiptPositions; ++i) {
    receipt.effects.push_back({.position = first + i});
  }
  return receipt;
}

TEST(InterventionReceiptTest, MergeCountsAllAndKeepsTheFirst32) {
  InterventionReceipt receipt = ReceiptOf(0, 30);
  receipt.Merge(ReceiptOf(30, 1));
  receipt.Merge(ReceiptOf(31, 40));
  receipt.Merge(ReceiptOf(71, 1));
  EXPECT_EQ(receipt.positions_applied, 72);
  ASSERT_THAT(receipt.effects, SizeIs(32));
  for (int i = 0; i < 32; ++i) EXPECT_EQ(receipt.effects[i].position, i);
}

}  // namespace
}  // namespace alignsae
