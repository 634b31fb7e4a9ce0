#include "model/terminal/terminal.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace alignsae {
namespace {

TEST(TerminalTest, AFileIsPlainAndOfAnyWidth) {
  unsetenv("COLUMNS");
  std::FILE* file = std::tmpfile();
  EXPECT_EQ(LookOf(file).width, 0);
  EXPECT_FALSE(LookOf(file).colour);
  setenv("COLUMNS", "72", 1);
  EXPECT_EQ(LookOf(file).width, 72);
  for (const char* none : {"", "0", "-5", "wide"}) {
    setenv("COLUMNS", none, 1);
    EXPECT_EQ(LookOf(file).width, 0) << none;
  }
  unsetenv("COLUMNS");
  std::fclose(file);
}

TEST(TerminalTest, StylesAreCodesWhereThereIsColour) {
  EXPECT_EQ(Styled("a", Style::kDim, {0, true}), "\x1b[2ma\x1b[0m");
  EXPECT_EQ(Styled("a", Style::kDim, {0, false}), "a");
  EXPECT_EQ(Styled("a", Style::kPlain, {0, true}), "a");
  EXPECT_EQ(Styled("", Style::kBold, {0, true}), "");
}

}  // namespace
}  // namespace alignsae
