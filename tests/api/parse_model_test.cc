#include "server/api/parse_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

TEST_F(ParseTest, TokenizeTakesExactlyOneInput) {
  EXPECT_THAT(
      ParseTokenize(FromText<v1::TokenizeRequest>(""), env()),
      StatusIs(kInvalid, "input: must set one of text and question, got none"));
  EXPECT_THAT(ParseTokenize(FromText<v1::TokenizeRequest>("text: ''"), env()),
              StatusIs(kInvalid, "text: must hold 1 to 65536 bytes, got 0"));
  EXPECT_THAT(
      ParseTokenize(FromText<v1::TokenizeRequest>("question: ''"), env()),
      StatusIs(kInvalid, "question: must hold 1 to 65536 bytes, got 0"));
  ASSERT_OK_AND_ASSIGN(const ParsedText parsed,
                       ParseTokenize(FromText<v1::TokenizeRequest>(
                                         "question: 'w' parse_special: true"),
                                     env()));
  EXPECT_EQ(parsed.text, "Q: w\nA:");
  EXPECT_TRUE(parsed.parse_special);
}

TEST_F(ParseTest, DetokenizeTakesKnownIdsOnly) {
  EXPECT_THAT(ParseDetokenize(FromText<v1::DetokenizeRequest>(""), env()),
              StatusIs(kInvalid, "token_ids: must hold 1 to 65536 ids, got 0"));
  EXPECT_THAT(ParseDetokenize(FromText<v1::DetokenizeRequest>(
                                  "token_ids: 1 token_ids: 260"),
                              env()),
              StatusIs(kInvalid, "token_ids[1]: must be in [0, 259], got 260"));
  EXPECT_THAT(
      ParseDetokenize(FromText<v1::DetokenizeRequest>("token_ids: -1"), env()),
      StatusIs(kInvalid, "token_ids[0]: must be in [0, 259], got -1"));
  EXPECT_THAT(
      ParseDetokenize(FromText<v1::DetokenizeRequest>("token_ids: 259"), env()),
      IsOkAndHolds(ElementsAre(259)));
}

TEST_F(ParseTest, DetokenizeTakesWhatAPaddedModelGenerates) {
  Catalog padded = *catalog_;
  padded.model.vocab_size = 264;  // The tokenizer has 260.
  catalog_ = std::make_shared<const Catalog>(padded);
  EXPECT_THAT(ParseDetokenize(FromText<v1::DetokenizeRequest>(
                                  "token_ids: 260 token_ids: 263"),
                              env()),
              IsOkAndHolds(ElementsAre(260, 263)));
  EXPECT_THAT(
      ParseDetokenize(FromText<v1::DetokenizeRequest>("token_ids: 264"), env()),
      StatusIs(kInvalid, "token_ids[0]: must be in [0, 263], got 264"));
}

TEST_F(ParseTest, ListConceptsTellsAllOrTheOneAsked) {
  EXPECT_THAT(ParseListConcepts(FromText<v1::ListConceptsRequest>(""), env()),
              IsOkAndHolds(ElementsAre(0, 1)));
  EXPECT_THAT(
      ParseListConcepts(
          FromText<v1::ListConceptsRequest>("checkpoint: 'whole'"), env()),
      IsOkAndHolds(ElementsAre(1)));
  EXPECT_THAT(ParseListConcepts(
                  FromText<v1::ListConceptsRequest>("checkpoint: 'no'"), env()),
              StatusIs(kNotFound,
                       "checkpoint: must be one of main, whole, got \"no\""));
}

}  // namespace
}  // namespace alignsae
