#include "model/tokenizer/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "model/base/counter_rng.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Pieces(absl::string_view text) {
  std::vector<std::string> pieces;
  Pretokenizer pretokenizer(text);
  while (!pretokenizer.done()) pieces.emplace_back(pretokenizer.Next());
  return pieces;
}

TEST(PretokenizerTest, CutsWordsNumbersAndSigns) {
  EXPECT_THAT(Pieces(""), IsEmpty());
  EXPECT_THAT(Pieces("Hello world"), ElementsAre("Hello", " world"));
  EXPECT_THAT(Pieces("v2.0, 31st"),
              ElementsAre("v", "2", ".", "0", ",", " 31", "st"));
  EXPECT_THAT(Pieces("a_b (c)"), ElementsAre("a", "_", "b", " (", "c", ")"));
}

TEST(PretokenizerTest, GivesTheLastBlankOfARunToTheWordBehindItOnlyIfASpace) {
  EXPECT_THAT(Pieces("a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(Pieces("a\n\nb"), ElementsAre("a", "\n", "\n", "b"));
  EXPECT_THAT(Pieces("a \n b"), ElementsAre("a", " \n", " b"));
  EXPECT_THAT(Pieces("a \nb"), ElementsAre("a", " ", "\n", "b"));
  EXPECT_THAT(Pieces("a\u00a0b"), ElementsAre("a", "\u00a0", "b"));
  EXPECT_THAT(Pieces("\u3000\u3000b"), ElementsAre("\u3000", "\u3000", "b"));
}

TEST(PretokenizerTest, KeepsARunOfBlanksWholeAtTheEnd) {
  EXPECT_THAT(Pieces(" "), ElementsAre(" "));
  EXPECT_THAT(Pieces("a   "), ElementsAre("a", "   "));
  EXPECT_THAT(Pieces("\r\n\r\n"), ElementsAre("\r\n\r\n"));
}

TEST(PretokenizerTest, CutsLowerCaseContractionsAtTheStartOfAPieceOnly) {
  EXPECT_THAT(Pieces("it's we'll they're I've I'm he'd don't"),
              ElementsAre("it", "'s", " we", "'ll", " they", "'re", " I", "'ve",
                          " I", "'m", " he", "'d", " don", "'t"));
  EXPECT_THAT(Pieces("IT'S"), ElementsAre("IT", "'", "S"));
  EXPECT_THAT(Pieces("'sa"), ElementsAre("'s", "a"));
  EXPECT_THAT(Pieces(" 's"), ElementsAre(" '", "s"));
  EXPECT_THAT(Pieces("''s"), ElementsAre("''", "s"));
  EXPECT_THAT(Pieces("'l 'r 'v"), ElementsAre("'", "l", " '", "r", " '", "v"));
  EXPECT_THAT(Pieces("'"), ElementsAre("'"));
}

TEST(PretokenizerTest, KnowsLettersAndNumbersOfOtherScripts) {
  EXPECT_THAT(Pieces("Größe五٣½"), ElementsAre("Größe五", "٣½"));
  EXPECT_THAT(Pieces("日本。語"), ElementsAre("日本", "。", "語"));
  // A combining mark is no letter.
  EXPECT_THAT(Pieces("e\u0301a"), ElementsAre("e", "\u0301", "a"));
  EXPECT_THAT(Pieces("😀 😀"), ElementsAre("😀", " 😀"));
}

TEST(PretokenizerTest, TakesBytesThatAreNoUtf8AsSigns) {
  EXPECT_THAT(Pieces("a\xff\xfe b"), ElementsAre("a", "\xff\xfe", " b"));
  EXPECT_THAT(Pieces(" \xe2\x82 x"), ElementsAre(" \xe2\x82", " x"));
  // The beginning of a letter that does not end is no letter.
  EXPECT_THAT(Pieces("a\xc3"), ElementsAre("a", "\xc3"));
  EXPECT_THAT(Pieces("\xed\xa0\x80!"), ElementsAre("\xed\xa0\x80!"));
}

TEST(PretokenizerTest, LosesNoByteOfAnyText) {
  // Bytes that meet many branches: quotes, blanks, digits, parts of characters.
  const std::string alphabet = "'sltrevmd \n\t1A\xc3\xa9\xe2\x80\xa8\xff\x85!";
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    CounterRng rng(seed);
    std::string text;
    for (uint64_t n = rng.NextBelow(24); n > 0; --n) {
      text.push_back(alphabet[rng.NextBelow(alphabet.size())]);
    }
    const std::vector<std::string> pieces = Pieces(text);
    ASSERT_EQ(absl::StrJoin(pieces, ""), text) << "seed " << seed;
    for (const std::string& piece : pieces) {
      ASSERT_FALSE(piece.empty()) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace alignsae
