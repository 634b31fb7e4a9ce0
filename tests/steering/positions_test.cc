#include "model/steering/positions.h"

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
  return {.prompt = Prompt::kList, .positions = std::move(positions)};
}

PositionSelection Window(int64_t start, int64_t stop) {
  return {
      .prompt = Prompt::kWindow, .positions = {}, .start = start, .stop = stop};
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

TEST(ResolvePositionsTest, APromptWithoutTokensIsABugOfTheCaller) {
  EXPECT_THAT(ResolvePositions({}, 0), StatusIs(absl::StatusCode::kInternal,
                                                "positions of a prompt of 0 "
                                                "tokens"));
}

TEST_P(BadSelectionTest, IsRefusedWithItsRule) {
  EXPECT_THAT(ResolvePositions(GetParam().selection, GetParam().prompt_length),
              StatusIs(absl::StatusCode::kInvalidArgument, GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadSelectionTest,
    ::testing::Values(
        BadSelection{Select(Prompt::kNone), 5,
                     "must select prompt tokens or generated "
                     "tokens, got neither"},
        BadSelection{Select(static_cast<Prompt>(9)), 5,
                     "prompt: must be NONE, LAST, ALL, LIST or WINDOW, got "
                     "9"},
        BadSelection{List({}), 5,
                     "positions: must hold at least one position, got "
                     "none"},
        BadSelection{Select(Prompt::kList, /*generated=*/true), 5,
                     "positions: must hold at least one position, got "
                     "none"},
        BadSelection{List({0, 5}), 5,
                     "positions[1]: must be in [-5, 4], got 5; the prompt "
                     "has 5 tokens"},
        BadSelection{List({-2}), 1,
                     "positions[0]: must be in [-1, 0], got -2; the "
                     "prompt has 1 token"},
        BadSelection{List({kFarthest}), 5,
                     "positions[0]: must be in [-5, 4], got "
                     "9223372036854775807; the prompt has 5 tokens"},
        BadSelection{List({-kFarthest - 1}), 5,
                     "positions[0]: must be in [-5, 4], got "
                     "-9223372036854775808; the prompt has 5 tokens"},
        BadSelection{Window(5, 5), 5,
                     "window.start: must be in [-5, 4], got 5; the "
                     "prompt has 5 tokens"},
        BadSelection{Window(-6, 5), 5,
                     "window.start: must be in [-5, 4], got -6; the "
                     "prompt has 5 tokens"},
        BadSelection{Window(0, 6), 5,
                     "window.stop: must be in [-5, 5], got 6; the "
                     "prompt has 5 tokens"},
        BadSelection{Window(3, 3), 5,
                     "window: must have start below stop, got [3, "
                     "3), which is [3, 3) of 5 tokens"},
        BadSelection{Window(-1, 2), 5,
                     "window: must have start below stop, got [-1, "
                     "2), which is [4, 2) of 5 tokens"},
        BadSelection{Window(0, 0), 1,
                     "window: must have start below stop, got [0, "
                     "0), which is [0, 0) of 1 token"}));

}  // namespace
}  // namespace alignsae
