#include "client/cli/table.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

TEST(TableTest, AlignsTextLeftAndNumbersRight) {
  Table table({"name", "value"});
  table.Add({"a", "1.5"});
  table.Add({"longer", "-12.25"});
  EXPECT_EQ(table.ToString(),
            "name    value\n"
            "a          1.5\n"
            "longer  -12.25\n");
}

TEST(TableTest, CountsCharactersNotBytes) {
  Table table({"city", "x"});
  table.Add({"Zażółć", "y"});
  EXPECT_EQ(table.ToString(),
            "city    x\n"
            "Zażółć  y\n");
}

TEST(TableTest, BarGrowsByEighths) {
  EXPECT_EQ(Bar(0, 4), "");
  EXPECT_EQ(Bar(1, 4), "████");
  EXPECT_EQ(Bar(0.5, 4), "██");
  EXPECT_EQ(Bar(1.0 / 32, 4), "▏");
  EXPECT_EQ(Bar(7, 2), "██");
  EXPECT_EQ(Bar(-1, 2), "");
  EXPECT_EQ(Bar(0.0 / 0.0, 2), "");
}

TEST(TableTest, PrintableKeepsTextAndDisarmsControls) {
  EXPECT_EQ(Printable("Kraków 🙂"), "Kraków 🙂");
  EXPECT_EQ(Printable("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(Printable("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(Printable("\x7f"), "\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\xc2\\x9b");  // C1 control sequence.
  EXPECT_EQ(Printable("\xff\xc3"), "\\xff\\xc3");  // Invalid, cut off.
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // Surrogate.
}

TEST(TableTest, ShortenedCutsWholeCharacters) {
  EXPECT_EQ(Shortened("birth_city", 10), "birth_city");
  EXPECT_EQ(Shortened("birth_city", 9), "birth_ci…");
  EXPECT_EQ(Shortened("Zażółć", 6), "Zażółć");
  EXPECT_EQ(Shortened("Zażółć", 4), "Zaż…");
  EXPECT_EQ(Shortened("🙂🙂", 1), "…");
  EXPECT_EQ(Shortened("a\nb", 10), "a\\nb");
}

}  // namespace
}  // namespace alignsae
