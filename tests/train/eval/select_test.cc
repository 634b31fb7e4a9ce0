#include "model/train/eval/select.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

Candidate Scored(double whole) {
  Candidate candidate;
  candidate.whole = whole;
  return candidate;
}

TEST(EvalSelectTest, ALaterModeMustBeBetterByMoreThanTheMargin) {
  EXPECT_FALSE(Beats(Scored(0.976), Scored(0.975), kModeMargin));
  EXPECT_TRUE(Beats(Scored(0.990), Scored(0.975), kModeMargin));
  EXPECT_TRUE(Beats(Scored(0.976), Scored(0.975), 0));
  EXPECT_FALSE(Beats(Scored(0.975), Scored(0.975), 0));
}

TEST(EvalSelectTest, AnyModeThatRunsBeatsOneThatIsRefused) {
  EXPECT_TRUE(Beats(Scored(0), Scored(-1), kModeMargin));
  EXPECT_FALSE(Beats(Scored(-1), Scored(-1), kModeMargin));
  EXPECT_FALSE(Beats(Scored(-1), Scored(0), kModeMargin));
}

}  // namespace
}  // namespace alignsae
