#include "model/tokenizer/text_span.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/tokenizer/small_tokenizer.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

// The text that the tokens of [start, stop) spell, or why there are none.
std::string Spelled(const std::string& prompt, const std::string& text) {
  static const auto* tokenizer = new Tokenizer(SmallTokenizer());
  const std::vector<int32_t> ids = tokenizer->Encode(prompt);
  const auto span = FindTextSpan(text, ids, *tokenizer);
  if (!span.ok()) return std::string(span.status().message());
  std::string spelled;
  for (int i = span->start; i < span->stop; ++i) {
    spelled += std::string(tokenizer->TokenBytes(ids[i]));
  }
  return spelled;
}

TEST(TextSpanTest, IsAllTokensOfTheText) {
  EXPECT_EQ(Spelled("xyz uvw", "xyz"), "xyz");
  EXPECT_EQ(Spelled("xyz uvw", "uvw"), "uvw");  // The blank is a token here.
  EXPECT_EQ(Spelled("xyz uvw", "xyz uvw"), "xyz uvw");
  EXPECT_EQ(Spelled("xyz uvw", "z u"), "z u");
  // " the" is one token: its blank belongs to the text's first token.
  EXPECT_EQ(Spelled("x the y", "the"), " the");
  EXPECT_EQ(Spelled("x the y", " the"), " the");
}

TEST(TextSpanTest, WhatIsNotOneWholePlaceIsRefused) {
  EXPECT_THAT(Spelled("xyz", ""), HasSubstr("must not be empty, got \"\""));
  EXPECT_THAT(
      Spelled("xyz", "q"),
      HasSubstr("must stand in the prompt, once, got \"q\", which does not"));
  EXPECT_THAT(Spelled("xyx", "x"),
              HasSubstr("\"x\", which stands there again"));
  EXPECT_THAT(Spelled("xxx", "xx"), HasSubstr("which stands there again"));
  EXPECT_THAT(Spelled("x the y", "th"),
              HasSubstr("must begin and end between two tokens, got \"th\", "
                        "which cuts one"));
  EXPECT_THAT(Spelled("x the y", "e y"), HasSubstr("which cuts one"));
}

}  // namespace
}  // namespace alignsae
