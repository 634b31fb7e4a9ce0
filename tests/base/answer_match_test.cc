#include "model/base/answer_match.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

TEST(NormalizeAnswerTest, CaseAndWhiteSpaceDoNotMatter) {
  EXPECT_EQ(NormalizeAnswer("  Salt\tLake \n City,  UT "),
            "salt lake city, ut");
  EXPECT_EQ(NormalizeAnswer("\tA\tB"), "a b");
  EXPECT_EQ(NormalizeAnswer(" \n "), "");
}

TEST(ParseDateTest, BothOrdersGiveTheSameDayMonthYear) {
  const CalendarDate date = {.day = 7, .month = 3, .year = 1984};
  EXPECT_EQ(ParseDate("7 March 1984"), date);
  EXPECT_EQ(ParseDate("07 march 1984"), date);
  EXPECT_EQ(ParseDate(" March 7, 1984 "), date);
  EXPECT_EQ(ParseDate("March 7 1984"), date);
}

TEST(ParseDateTest, WhatIsNoDateIsNone) {
  for (const char* text :
       {"", "March 1984", "7 March", "31 June 1984", "0 March 1984",
        "7 Marsh 1984", "7 March 1984 UT", "7th March 1984", "7 3 1984",
        "29 February 1999", "7 March 0"}) {
    EXPECT_EQ(ParseDate(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseDate("29 February 2000")->day, 29);
}

TEST(WholeAnswerMatchesTest, WholeStringsAreCompared) {
  EXPECT_TRUE(WholeAnswerMatches("Austin, TX", " austin,  TX"));
  EXPECT_FALSE(WholeAnswerMatches("Austin, TX", "Austin"));
  EXPECT_FALSE(WholeAnswerMatches("Austin, TX", "Austin, TX 7"));
  EXPECT_FALSE(WholeAnswerMatches("Austin, TX", ""));
  EXPECT_FALSE(WholeAnswerMatches("", ""));
}

TEST(WholeAnswerMatchesTest, DatesAreComparedAsDayMonthYear) {
  EXPECT_TRUE(WholeAnswerMatches("7 March 1984", "March 7, 1984"));
  EXPECT_TRUE(WholeAnswerMatches("7 March 1984", "07 MARCH 1984"));
  EXPECT_FALSE(WholeAnswerMatches("7 March 1984", "7 March 1985"));
  EXPECT_FALSE(WholeAnswerMatches("7 March 1984", "March 1984"));
  EXPECT_FALSE(WholeAnswerMatches("7 March 1984", "17 March 1984"));
}

TEST(SubstringMatchesTest, EitherMayContainTheOtherButEmptyIsWrong) {
  EXPECT_TRUE(SubstringMatches("Austin, TX", "austin"));
  EXPECT_TRUE(SubstringMatches("Austin, TX", "in Austin, TX today"));
  EXPECT_TRUE(SubstringMatches("17 March 1984", "7 March 1984"));
  EXPECT_FALSE(SubstringMatches("Austin, TX", "Boston, MA"));
  EXPECT_FALSE(SubstringMatches("Austin, TX", " "));
}

}  // namespace
}  // namespace alignsae
