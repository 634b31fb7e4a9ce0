#include "model/base/quote.h"

#include <gtest/gtest.h>

#include <string>

namespace alignsae {
namespace {

TEST(QuotedTest, EscapesWhatWouldBreakALine) {
  EXPECT_EQ(Quoted("plain"), "\"plain\"");
  EXPECT_EQ(Quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\nd\"");
  EXPECT_EQ(Quoted(absl::string_view("\0", 1)), "\"\\000\"");
  EXPECT_EQ(Quoted(""), "\"\"");
}

TEST(QuotedTest, KeepsCharactersOfOtherScripts) {
  EXPECT_EQ(Quoted("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
}

TEST(QuotedTest, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(Quoted("abcdef", 6), "\"abcdef\"");
  EXPECT_EQ(Quoted("abcdef", 5), "\"abcde\"...");
  // U+1F600 is 4 bytes; a cut inside it falls back to its start.
  const std::string text = "ab\xf0\x9f\x98\x80z";
  EXPECT_EQ(Quoted(text, 6), "\"ab\xf0\x9f\x98\x80\"...");
  for (const size_t inside : {3, 4, 5}) {
    EXPECT_EQ(Quoted(text, inside), "\"ab\"...");
  }
}

}  // namespace
}  // namespace alignsae
