// Positions by a text in requests: model/tokenizer/text_span.h has the rule.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "server/api/parse_intervention.h"
#include "server/api/parse_readout.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using PositionTextTest = ParseTest;

TEST_F(PositionTextTest, EditsAndReadingsTakeIt) {
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

TEST_F(PositionTextTest, AReadingIsOfTheLastTokenOrOfAllOfThem) {
  const auto read = [&](const std::string& more) {
    return ParseReadConcepts(FromText<v1::ReadConceptsRequest>(
                                 "prompts { text: 'xyz uvw' } " + more),
                             env());
  };
  const auto positions = [&](const std::string& more) {
    return read(more)->spec.sequences[0].observations[0].positions;
  };
  const std::string mean = "span_reading: SPAN_READING_MEAN ";
  const std::string last = "span_reading: SPAN_READING_LAST ";
  EXPECT_THAT(positions("position_text: 'yz' " + mean), ElementsAre(1, 2));
  EXPECT_THAT(positions("position_text: 'yz' " + last), ElementsAre(2));
  auto spans = std::make_shared<Catalog>(*catalog_);
  for (CheckpointInfo& checkpoint : spans->checkpoints) {
    checkpoint.trained = TrainedPositions::kSpan;
  }
  catalog_ = std::move(spans);
  EXPECT_THAT(positions("position_text: 'yz'"), ElementsAre(1, 2));
  EXPECT_THAT(positions("position_text: 'yz' " + last), ElementsAre(2));
  EXPECT_THAT(positions("position: 3"), ElementsAre(3));
  EXPECT_THAT(read(mean).status(),
              StatusIs(kInvalid,
                       "span_reading: must be absent without position_text, "
                       "got SPAN_READING_MEAN"));
  EXPECT_THAT(read("position_text: 'yz' span_reading: 7").status(),
              StatusIs(kInvalid, "span_reading: must be LAST or MEAN, got 7"));
}

}  // namespace
}  // namespace alignsae
