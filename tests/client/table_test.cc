#include "client/cli/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"

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

Table Answers() {
  Table table({"target", "alpha", "answer", "logprob"});
  table.Add({"employer", "0.500", "the quick brown fox jumps over it", "-1.5"});
  table.Add({"major", "12.000", "Geology", "-0.25"});
  return table;
}

int Widest(const std::string& text) {
  int widest = 0;
  for (const auto line : absl::StrSplit(text, '\n')) {
    widest = std::max(widest, DisplayWidth(line));
  }
  return widest;
}

// The words of a text, in no order.
std::multiset<std::string> Words(const std::string& text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
}

TEST(TableTest, TextIsBrokenIntoLinesWhereTheTableIsTooWide) {
  EXPECT_EQ(Answers().ToString({.width = 46}),
            "target    alpha   answer               logprob\n"
            "employer   0.500  the quick brown fox     -1.5\n"
            "                  jumps over it\n"
            "major     12.000  Geology                -0.25\n");
  EXPECT_EQ(Answers().ToString({.width = 0}), Answers().ToString());
  EXPECT_EQ(Answers().ToString({.width = Answers().Width()}),
            Answers().ToString());
}

TEST(TableTest, ColumnsComeInBlocksWhereThatIsNotEnough) {
  EXPECT_EQ(Answers().ToString({.width = 30}),
            "target    alpha   answer\n"
            "employer   0.500  the quick\n"
            "                  brown fox\n"
            "                  jumps over\n"
            "                  it\n"
            "major     12.000  Geology\n"
            "\n"
            "target    logprob\n"
            "employer     -1.5\n"
            "major       -0.25\n");
}

TEST(TableTest, NoWidthLosesAWordOrIsPassed) {
  Table wide({"position", "token", "a_long_concept_name", "another", "x"});
  for (int i = 0; i < 3; ++i) {
    wide.Add({std::to_string(i), "'Ż ółć'", "0.123", "-4.567", "some text"});
  }
  const auto words = Words(Answers().ToString());
  for (int width = 20; width < 90; ++width) {
    EXPECT_LE(Widest(Answers().ToString({.width = width})), width);
    EXPECT_LE(Widest(wide.ToString({.width = width})), width) << width;
    for (const std::string& word : words) {
      EXPECT_TRUE(Words(Answers().ToString({.width = width})).count(word))
          << width << " " << word;
    }
  }
}

TEST(TableTest, RowsHaveStylesWhereThereIsColour) {
  Table table({"a"});
  table.Add({"x"}, Style::kDim);
  table.Add({"y"});
  EXPECT_EQ(table.ToString({.width = 0, .colour = true}),
            "\x1b[1ma\x1b[0m\n\x1b[2mx\x1b[0m\ny\n");
}

TEST(TableTest, WrappedBreaksAtBlanksAndElseAnywhere) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(Wrapped("a bc def", 4), (Lines{"a bc", "def"}));
  EXPECT_EQ(Wrapped("a bc def", 3), (Lines{"a", "bc", "def"}));
  EXPECT_EQ(Wrapped("abcdef", 4), (Lines{"abcd", "ef"}));
  EXPECT_EQ(Wrapped("Zażółć", 3), (Lines{"Zaż", "ółć"}));
  EXPECT_EQ(Wrapped("", 3), (Lines{""}));
  EXPECT_EQ(Wrapped("as it is ", 0), (Lines{"as it is "}));
}

}  // namespace
}  // namespace alignsae
