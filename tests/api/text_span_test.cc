// Positions by a text: all tokens of a name, or one sentence why not.

#include "server/api/text_span.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/api/parse_intervention.h"
#include "server/api/parse_readout.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TextSpanTest : public ParseTest {
 protected:
  // The text that the tokens of [start, stop) spell.
  std::string Spelled(const std::string& prompt, const std::string& text) {
    const std::vector<int32_t> ids = tokenizer_->Encode(prompt);
    const auto span = FindTextSpan(text, ids, *tokenizer_);
    if (!span.ok()) return std::string(span.status().message());
    std::string spelled;
    for (int i = span->start; i < span->stop; ++i) {
      spelled += std::string(tokenizer_->TokenBytes(ids[i]));
    }
    return spelled;
  }
};

TEST_F(TextSpanTest, IsAllTokensOfTheText) {
  EXPECT_EQ(Spelled("xyz uvw", "xyz"), "xyz");
  EXPECT_EQ(Spelled("xyz uvw", "uvw"), "uvw");  // The blank is a token here.
  EXPECT_EQ(Spelled("xyz uvw", "xyz uvw"), "xyz uvw");
  EXPECT_EQ(Spelled("xyz uvw", "z u"), "z u");
  // " the" is one token: its blank belongs to the text's first token.
  EXPECT_EQ(Spelled("x the y", "the"), " the");
  EXPECT_EQ(Spelled("x the y", " the"), " the");
}

TEST_F(TextSpanTest, WhatIsNotOneWholePlaceIsRefused) {
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

TEST_F(TextSpanTest, EditsAndReadingsTakeIt) {
  const auto positions = [&](const std::string& wire) {
    return ParsePositions(FromText<v1::PositionSelection>(wire),
                          PositionSelection::Prompt::kLast,
                          tokenizer_->Encode("xyz uvw"), env());
  };
  EXPECT_THAT(positions("text: 'yz'")->prompt, ElementsAre(1, 2));
  EXPECT_TRUE(positions("text: 'yz' generated: true")->generated);
  EXPECT_THAT(positions("prompt: PROMPT_SELECTION_TEXT text: 'x'")->prompt,
              ElementsAre(0));
  EXPECT_THAT(positions("prompt: PROMPT_SELECTION_TEXT").status(),
              StatusIs(kInvalid, "text: must not be empty, got \"\""));
  EXPECT_THAT(positions("text: 'x' positions: 1").status(),
              StatusIs(kInvalid, HasSubstr("positions: must be empty")));
  EXPECT_THAT(positions("text: 'x' window {}").status(),
              StatusIs(kInvalid, HasSubstr("window: must be absent")));

  const auto read =
      ParseReadConcepts(FromText<v1::ReadConceptsRequest>(
                            "prompts { text: 'xyz uvw' } position_text: 'yz'"),
                        env());
  ASSERT_OK(read.status());
  EXPECT_THAT(read->spec.sequences[0].observations[0].positions,
              ElementsAre(2));
  EXPECT_THAT(ParseReadConcepts(
                  FromText<v1::ReadConceptsRequest>(
                      "prompts { text: 'x' } position_text: 'x' position: 0"),
                  env())
                  .status(),
              StatusIs(kInvalid, HasSubstr("position: must be absent")));
}

}  // namespace
}  // namespace alignsae
