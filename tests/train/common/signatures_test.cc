#include "model/train/common/signatures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> NamesOf(const RecipeFigures& figures) {
  std::vector<std::string> names;
  for (const Signature& each : SignaturesOf(figures)) {
    names.push_back(each.name);
  }
  return names;
}

// Of a recipe that works.
RecipeFigures Good() {
  RecipeFigures figures;
  figures.read = 1;
  figures.swap = 0.98;
  figures.alpha = 1;
  figures.cosine = 0.95;
  figures.written_share = 0.9;
  figures.dead_share = 0.1;
  figures.curve = {{0.5, 0.9}, {1, 0.98}, {2, 0.95}};
  figures.losses = {{3, 2, 1}, {4, 2, 1.1}};
  return figures;
}

TEST(SignaturesTest, AGoodRecipeAndNothingMeasuredShowNone) {
  EXPECT_THAT(NamesOf(Good()), IsEmpty());
  EXPECT_THAT(NamesOf({}), IsEmpty());
  EXPECT_EQ(RenderSignatures({}), "");
}

TEST(SignaturesTest, EachIsNamedByItsFigures) {
  RecipeFigures figures = Good();
  figures.read = 0.62;
  EXPECT_THAT(NamesOf(figures), ElementsAre("low_diagonal_accuracy"));
  EXPECT_THAT(SignaturesOf(figures)[0].saw, HasSubstr("0.620 of prompts"));

  figures = Good();
  figures.swap = 0.003;
  EXPECT_THAT(NamesOf(figures), ElementsAre("high_binding_low_swap"));
  EXPECT_THAT(SignaturesOf(figures)[0].change, HasSubstr("--prefix 0.1"));
  figures.written_share = 0.25;
  EXPECT_THAT(SignaturesOf(figures)[0].change, HasSubstr("alpha about 4"));
  figures.read = 0.5;  // Then what reads badly comes first.
  EXPECT_THAT(NamesOf(figures), ElementsAre("low_diagonal_accuracy"));

  figures = Good();
  figures.cosine = -0.1;
  EXPECT_THAT(NamesOf(figures), ElementsAre("slots_do_not_write"));
  figures = Good();
  figures.written_share = 0;
  EXPECT_THAT(NamesOf(figures), ElementsAre("slots_do_not_write"));

  figures = Good();
  figures.dead_share = 0.51;
  EXPECT_THAT(NamesOf(figures), ElementsAre("dead_features"));
  figures.dead_share = 0.5;
  EXPECT_THAT(NamesOf(figures), IsEmpty());
}

TEST(SignaturesTest, ALossIsUnstableWhereAStageEndsAboveItsLowest) {
  RecipeFigures figures = Good();
  figures.losses = {{1}, {5, 2, 2.4}};
  EXPECT_THAT(NamesOf(figures), IsEmpty());
  figures.losses = {{1}, {5, 2, 2.6}};
  ASSERT_THAT(NamesOf(figures), ElementsAre("unstable_loss"));
  EXPECT_THAT(SignaturesOf(figures)[0].saw,
              HasSubstr("stage 2 ends with a loss of 2.6"));
  // The labels' terms come in with stage 2: that is no rise.
  figures.losses = {{1}, {9, 8}, {}};
  EXPECT_THAT(NamesOf(figures), IsEmpty());
}

TEST(SignaturesTest, SwapsThatCollapseBeyondTheBestAlpha) {
  RecipeFigures figures = Good();
  figures.curve = {{0.5, 0.1}, {1, 0.98}, {5, 0.6}, {10, 0.2}, {50, 0}};
  ASSERT_THAT(NamesOf(figures), ElementsAre("wrong_category_at_large_alpha"));
  EXPECT_THAT(SignaturesOf(figures)[0].saw,
              HasSubstr("0.980 at alpha 1 and in 0.200 at 10"));
  figures.curve = {{1, 0.1}, {10, 0}};  // Nothing to lose.
  EXPECT_THAT(NamesOf(figures), IsEmpty());
}

TEST(SignaturesTest, EachIsTwoLines) {
  RecipeFigures figures = Good();
  figures.dead_share = 0.7;
  EXPECT_THAT(RenderSignatures(SignaturesOf(figures)),
              testing::StartsWith("  dead_features: 0.700 of the free features "
                                  "never fire, above 0.5.\n    Change: a "
                                  "smaller --sparse, "));
}

}  // namespace
}  // namespace alignsae
