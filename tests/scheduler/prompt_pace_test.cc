#include "model/scheduler/prompt_pace.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(100);

TEST(PromptPaceTest, AStepIsAsLongAsThoseBeforeItSay) {
  PromptPace pace(kStep);
  EXPECT_EQ(pace.Tokens(512), 512);  // Nothing is known yet.
  pace.Took(absl::Milliseconds(256), 508, 4);
  EXPECT_EQ(pace.Tokens(512), 200);
  EXPECT_EQ(pace.Tokens(150), 150);
  for (int i = 0; i < 40; ++i) pace.Took(absl::Milliseconds(50), 199, 1);
  EXPECT_NEAR(pace.Tokens(512), 400, 1);
  for (int i = 0; i < 40; ++i) pace.Took(absl::Milliseconds(10), 399, 1);
  EXPECT_EQ(pace.Tokens(512), 512);
}

TEST(PromptPaceTest, TheLastStepIsAQuarterOfTheMean) {
  PromptPace pace(kStep);
  pace.Took(absl::Milliseconds(200), 399, 1);  // 0.5 ms each
  pace.Took(absl::Milliseconds(50), 199, 1);   // 0.25 ms each
  EXPECT_NEAR(pace.Tokens(512), 228.6, 1);     // of 0.4375 ms
}

TEST(PromptPaceTest, NeverBelowTheLeast) {
  PromptPace pace(kStep);
  pace.Took(absl::Seconds(5), 500, 0);
  EXPECT_EQ(pace.Tokens(512), PromptPace::kLeast);
  EXPECT_EQ(pace.Tokens(PromptPace::kLeast + 1), PromptPace::kLeast);
  EXPECT_EQ(pace.Tokens(8), 8);
}

TEST(PromptPaceTest, ShortPartsOfPromptsTellNothing) {
  PromptPace pace(kStep);
  pace.Took(absl::Seconds(5), 63, 64);
  EXPECT_EQ(pace.Tokens(512), 512);
  pace.Took(absl::Seconds(5), 64, 0);
  EXPECT_EQ(pace.Tokens(512), PromptPace::kLeast);
}

TEST(PromptPaceTest, WithoutABoundAllAreComputed) {
  PromptPace pace(absl::InfiniteDuration());
  pace.Took(absl::Seconds(5), 500, 0);
  EXPECT_EQ(pace.Tokens(512), 512);
}

}  // namespace
}  // namespace alignsae
