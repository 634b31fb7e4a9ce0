// Readouts and inspections: what is taken and, word for word, what is refused.

#include "server/api/parse_readout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/api/reply_size.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Ids(int count) {
  std::string ids;
  for (int i = 0; i < count; ++i) ids += " ids: 1";
  return "token_ids {" + ids + " }";
}

// What is said of an answer of up to `bytes` bytes, one over the limit.
std::string TooLarge(const std::string& field, int64_t bytes) {
  return absl::StrCat(field, ": must keep the answer within ", bytes - 1,
                      " bytes, got up to ", bytes, "; ask for less");
}

class BadReadTest : public ParseTest,
                    public ::testing::WithParamInterface<Bad> {};

TEST_P(BadReadTest, IsRefusedWithOneSentence) {
  limits_.max_prompt_bytes = 100;
  limits_.max_prompts_per_batch = 3;
  limits_.max_send_message_bytes = 2000;
  EXPECT_THAT(ParseReadConcepts(
                  FromText<v1::ReadConceptsRequest>(GetParam().request), env()),
              StatusIs(GetParam().code, GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadReadTest,
    ::testing::Values(
        Bad{"NoPrompt", "", kInvalid,
            "prompts: must hold 1 to 3 prompts, got 0"},
        Bad{"TooManyPrompts",
            "prompts { text: 'a' } prompts { text: 'a' } prompts { text: 'a' } "
            "prompts { text: 'a' }",
            kInvalid, "prompts: must hold 1 to 3 prompts, got 4"},
        Bad{"NoInput", "prompts { text: 'a' } prompts {}", kInvalid,
            "prompts[1]: must set one of text, question and token_ids, got "
            "none"},
        Bad{"EmptyText", "prompts { text: '' }", kInvalid,
            "prompts[0].text: must hold 1 to 100 bytes, got 0"},
        Bad{"EmptyQuestion", "prompts { question: '' }", kInvalid,
            "prompts[0].question: must hold 1 to 100 bytes, got 0"},
        Bad{"LongText", "prompts { text: '" + std::string(101, 'x') + "' }",
            kInvalid, "prompts[0].text: must hold 1 to 100 bytes, got 101"},
        Bad{"EmptyIds", "prompts { token_ids {} }", kInvalid,
            "prompts[0].token_ids.ids: must hold 1 to 64 ids, got none"},
        Bad{"NegativeId", "prompts { token_ids { ids: 3 ids: -1 } }", kInvalid,
            "prompts[0].token_ids.ids[1]: must be in [0, 259], got -1"},
        Bad{"IdOverVocabulary", "prompts { token_ids { ids: 260 } }", kInvalid,
            "prompts[0].token_ids.ids[0]: must be in [0, 259], got 260"},
        Bad{"TooManyTokens", "prompts { text: '" + std::string(65, 'x') + "' }",
            kInvalid,
            "prompts[0]: must have at most 64 tokens, got 65; nothing is cut"},
        Bad{"TooManyIds", "prompts {" + Ids(65) + "}", kInvalid,
            "prompts[0]: must have at most 64 tokens, got 65; nothing is cut"},
        Bad{"UnknownCheckpoint", "prompts { text: 'a' } checkpoint: 'x\\ny'",
            kNotFound, "checkpoint: must be one of main, whole, got \"x\\ny\""},
        Bad{"PositionBehind", "prompts { text: 'abc' } position: 3", kInvalid,
            "position: must be in [-3, 2], got 3; prompts[0] has 3 tokens"},
        Bad{"PositionBefore",
            "prompts { text: 'abcd' } prompts { text: 'a' } position: -2",
            kInvalid,
            "position: must be in [-1, 0], got -2; prompts[1] has 1 token"}),
    &NameOf);

TEST_F(ParseTest, AReadoutStopsAtTheLastTokenOfEachPrompt) {
  ASSERT_OK_AND_ASSIGN(const ParsedReadout parsed,
                       ParseReadConcepts(FromText<v1::ReadConceptsRequest>(
                                             "prompts { text: 'the' } prompts "
                                             "{ token_ids { ids: 5 ids: 6 } }"),
                                         env()));
  EXPECT_EQ(parsed.checkpoint, 0);
  ASSERT_THAT(parsed.spec.sequences, SizeIs(2));
  EXPECT_THAT(parsed.spec.sequences[0].prompt, ElementsAre(257));
  EXPECT_THAT(parsed.spec.sequences[1].prompt, ElementsAre(5, 6));
  EXPECT_EQ(parsed.spec.sequences[1].max_new_tokens, 0);
  ASSERT_THAT(parsed.spec.sequences[1].observations, SizeIs(1));
  EXPECT_THAT(parsed.spec.sequences[1].observations[0].positions,
              ElementsAre(1));
  EXPECT_FALSE(parsed.spec.sequences[1].observations[0].whole);
}

TEST_F(ParseTest, ANegativePositionCountsFromEachPromptsEnd) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout parsed,
      ParseReadConcepts(
          FromText<v1::ReadConceptsRequest>("prompts { text: 'abc' } prompts { "
                                            "text: 'abcde' } position: -3"),
          env()));
  EXPECT_THAT(parsed.spec.sequences[0].observations[0].positions,
              ElementsAre(0));
  EXPECT_THAT(parsed.spec.sequences[1].observations[0].positions,
              ElementsAre(2));
}

TEST_F(ParseTest, SpecialTokensInATextAreText) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout parsed,
      ParseReadConcepts(FromText<v1::ReadConceptsRequest>(
                            "prompts { text: '<|endoftext|>' }"),
                        env()));
  EXPECT_THAT(parsed.spec.sequences[0].prompt, SizeIs(13));
}

TEST_F(ParseTest, AQuestionGoesIntoTheTemplate) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout parsed,
      ParseReadConcepts(FromText<v1::ReadConceptsRequest>(
                            "prompts { question: '{question}?' }"),
                        env()));
  EXPECT_EQ(tokenizer_->Decode(parsed.spec.sequences[0].prompt).value(),
            "Q: {question}?\nA:");
}

TEST_F(ParseTest, AModelWithoutATemplateTakesNoQuestions) {
  auto catalog = std::make_shared<Catalog>(*catalog_);
  catalog->model.prompt_template.clear();
  catalog_ = catalog;
  EXPECT_THAT(
      ParseReadConcepts(
          FromText<v1::ReadConceptsRequest>("prompts { question: 'x' }"),
          env()),
      StatusIs(kPrecondition,
               "prompts[0].question: must be sent to a model with a prompt "
               "template, got one without; send text"));
}

TEST_F(ParseTest, AServerWithoutCheckpointsReadsNothing) {
  auto catalog = std::make_shared<Catalog>(*catalog_);
  catalog->checkpoints.clear();
  catalog_ = catalog;
  EXPECT_THAT(
      ParseReadConcepts(
          FromText<v1::ReadConceptsRequest>("prompts { text: 'x' }"), env()),
      StatusIs(kPrecondition,
               "checkpoint: must be loaded, got a server without any"));
}

TEST_F(ParseTest, APlainSaeHasNoConceptsToRead) {
  auto catalog = std::make_shared<Catalog>(*catalog_);
  catalog->checkpoints[1].concepts.clear();
  catalog_ = catalog;
  EXPECT_THAT(
      ParseReadConcepts(FromText<v1::ReadConceptsRequest>(
                            "prompts { text: 'x' } checkpoint: 'whole'"),
                        env()),
      StatusIs(kPrecondition,
               "checkpoint: must have concepts to read, got whole, which has "
               "none"));
  EXPECT_THAT(ParseInspectSlots(FromText<v1::InspectSlotsRequest>(
                                    "prompt { text: 'x' } checkpoint: 'whole'"),
                                env()),
              IsOk());
}

TEST_F(ParseTest, AReadoutOverTheReplyLimitIsRefused) {
  const auto request = FromText<v1::ReadConceptsRequest>(
      "prompts { text: 'a' } prompts { text: 'b' }");
  ASSERT_OK_AND_ASSIGN(const ParsedReadout parsed,
                       ParseReadConcepts(request, env()));
  const int64_t bytes = ReadBytes(parsed.spec, parsed.checkpoint, env());
  limits_.max_send_message_bytes = static_cast<int>(bytes);
  EXPECT_OK(ParseReadConcepts(request, env()));
  limits_.max_send_message_bytes = static_cast<int>(bytes) - 1;
  EXPECT_THAT(ParseReadConcepts(request, env()),
              StatusIs(kInvalid, TooLarge("prompts", bytes)));
}

class BadInspectTest : public ParseTest,
                       public ::testing::WithParamInterface<Bad> {};

TEST_P(BadInspectTest, IsRefusedWithOneSentence) {
  EXPECT_THAT(ParseInspectSlots(
                  FromText<v1::InspectSlotsRequest>(GetParam().request), env()),
              StatusIs(GetParam().code, GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadInspectTest,
    ::testing::Values(
        Bad{"NoPrompt", "", kInvalid,
            "prompt: must set one of text, question and token_ids, got none"},
        Bad{"NegativeTopK",
            "prompt { text: 'a' } checkpoint: 'whole' top_k: -1", kInvalid,
            "top_k: must be in [0, 12], got -1"},
        Bad{"TopKOverFeatures",
            "prompt { text: 'a' } checkpoint: 'whole' top_k: 2147483647",
            kInvalid, "top_k: must be in [0, 12], got 2147483647"},
        Bad{"NeedsTheWholeSae", "prompt { text: 'a' } top_k: 1", kPrecondition,
            "top_k: must be 0 when only concept slots are loaded, got 1; the "
            "server needs --whole-sae"},
        Bad{"Generated", "prompt { text: 'a' } positions { generated: true }",
            kInvalid,
            "positions.generated: must be false in a readout, got true"},
        Bad{"UnknownSelection", "prompt { text: 'a' } positions { prompt: 17 }",
            kInvalid,
            "positions.prompt: must be NONE, LAST, ALL, LIST or WINDOW, got "
            "17"},
        Bad{"EmptyList",
            "prompt { text: 'a' } positions { prompt: "
            "PROMPT_SELECTION_LIST }",
            kInvalid,
            "positions.positions: must hold at least one position, got none"},
        Bad{"OutsideThePrompt",
            "prompt { text: 'abc' } positions { prompt: "
            "PROMPT_SELECTION_LIST positions: 3 }",
            kInvalid,
            "positions.positions[0]: must be in [-3, 2], got 3; the prompt has "
            "3 tokens"},
        Bad{"TooLongAList",
            "prompt { text: 'a' } positions { prompt: PROMPT_SELECTION_LIST "
            "positions: 0 positions: 0 positions: 0 }",
            kInvalid,
            "positions.positions: must hold at most two for each of the "
            "prompt's 1 tokens, got 3"},
        Bad{"PositionsWithoutList",
            "prompt { text: 'a' } positions { positions: 0 }", kInvalid,
            "positions.positions: must be empty unless prompt is LIST, got 1 "
            "of them"},
        Bad{"WindowWithoutWindow",
            "prompt { text: 'a' } positions { window {} }", kInvalid,
            "positions.window: must be absent unless prompt is WINDOW"}),
    &NameOf);

TEST_F(ParseTest, AnInspectionTellsAllTokensAndTenFeaturesByDefault) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout parsed,
      ParseInspectSlots(FromText<v1::InspectSlotsRequest>(
                            "prompt { text: 'abc' } checkpoint: 'whole'"),
                        env()));
  EXPECT_EQ(parsed.top_k, 10);
  const Observation& observation = parsed.spec.sequences[0].observations[0];
  EXPECT_THAT(observation.positions, ElementsAre(0, 1, 2));
  EXPECT_TRUE(observation.whole);
  EXPECT_EQ(parsed.top_k, 10);
}

TEST_F(ParseTest, AnInspectionOfConceptsAloneListsNoFeatures) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout parsed,
      ParseInspectSlots(
          FromText<v1::InspectSlotsRequest>(
              "prompt { text: 'abcd' } positions { prompt: "
              "PROMPT_SELECTION_WINDOW window { start: -3 stop: 3 } }"),
          env()));
  EXPECT_EQ(parsed.top_k, 0);
  const Observation& observation = parsed.spec.sequences[0].observations[0];
  EXPECT_THAT(observation.positions, ElementsAre(1, 2));
  EXPECT_FALSE(observation.whole);
}

TEST_F(ParseTest, APositionNamedTwiceCountsOnce) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout parsed,
      ParseInspectSlots(FromText<v1::InspectSlotsRequest>(
                            "prompt { text: 'abc' } positions { prompt: "
                            "PROMPT_SELECTION_LIST positions: -1 positions: 0 "
                            "positions: 2 }"),
                        env()));
  EXPECT_THAT(parsed.spec.sequences[0].observations[0].positions,
              ElementsAre(0, 2));
}

TEST_F(ParseTest, AnInspectionOverTheReplyLimitIsRefused) {
  const auto request = FromText<v1::InspectSlotsRequest>(
      "prompt { text: 'abcd' } checkpoint: 'whole'");
  ASSERT_OK_AND_ASSIGN(const ParsedReadout parsed,
                       ParseInspectSlots(request, env()));
  const int64_t bytes =
      InspectionBytes(parsed.spec.sequences[0], parsed.checkpoint, 10, env());
  limits_.max_send_message_bytes = static_cast<int>(bytes);
  EXPECT_OK(ParseInspectSlots(request, env()));
  limits_.max_send_message_bytes = static_cast<int>(bytes) - 1;
  EXPECT_THAT(ParseInspectSlots(request, env()),
              StatusIs(kInvalid, TooLarge("top_k", bytes)));
}

}  // namespace
}  // namespace alignsae
