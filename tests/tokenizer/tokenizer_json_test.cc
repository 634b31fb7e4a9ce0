// tokenizer.json: what is taken, and the sentence for each thing that is not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/load.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using Json = nlohmann::json;

// What the tokenizers library writes for SmallVocab() and kSmallMerges.
Json SmallTokenizerJson() {
  return {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", Json::array({{{"id", 259},
                                     {"content", "<|endoftext|>"},
                                     {"single_word", false},
                                     {"lstrip", false},
                                     {"rstrip", false},
                                     {"normalized", true},
                                     {"special", true}}})},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"},
        {"add_prefix_space", false},
        {"trim_offsets", true}}},
      {"post_processor",
       {{"type", "ByteLevel"},
        {"add_prefix_space", true},
        {"trim_offsets", false}}},
      {"decoder",
       {{"type", "ByteLevel"},
        {"add_prefix_space", true},
        {"trim_offsets", true}}},
      {"model",
       {{"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", ""},
        {"end_of_word_suffix", ""},
        {"fuse_unk", false},
        {"vocab", SmallVocab()},
        {"merges", {"t h", "th e", "\u0120 the"}}}},
  };
}

// One value of SmallTokenizerJson(), at a JSON pointer, replaced by another.
struct BadValue {
  const char* where;
  Json value;
  std::string message;  // After "tokenizer.json".
};

void ExpectRefused(const std::vector<BadValue>& rows) {
  for (const BadValue& row : rows) {
    Json json = SmallTokenizerJson();
    json[Json::json_pointer(row.where)] = row.value;
    EXPECT_THAT(ParseTokenizerJson(json.dump()),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "tokenizer.json" + row.message))
        << row.where;
  }
}

TEST(TokenizerJsonTest, SaysTheSameAsTheVocabularyFiles) {
  ASSERT_OK_AND_ASSIGN(
      const Vocabulary files,
      ParseVocabularyFiles(SmallVocab().dump(), kSmallMerges, ""));
  ASSERT_OK_AND_ASSIGN(const Vocabulary json,
                       ParseTokenizerJson(SmallTokenizerJson().dump()));
  EXPECT_EQ(json.tokens, files.tokens);
  EXPECT_EQ(json.is_special, files.is_special);
  EXPECT_EQ(json.merges, files.merges);
}

TEST(TokenizerJsonTest, TakesMergesAsPairsAndTheSettingsOfNewerFiles) {
  Json json = SmallTokenizerJson();
  json["model"]["merges"] =
      Json::array({Json::array({"t", "h"}), Json::array({"th", "e"}),
                   Json::array({"\u0120", "the"})});
  json["model"]["type"] = "BPE";
  json["model"]["byte_fallback"] = false;
  json["model"]["ignore_merges"] = false;
  json["model"]["unk_token"] = "<|endoftext|>";
  json["model"]["continuing_subword_prefix"] = nullptr;
  json["pre_tokenizer"]["use_regex"] = true;
  json["post_processor"] = nullptr;
  json["decoder"] = nullptr;
  ASSERT_OK_AND_ASSIGN(const Vocabulary vocabulary,
                       ParseTokenizerJson(json.dump()));
  EXPECT_THAT(vocabulary.merges, SizeIs(3));
}

TEST(TokenizerJsonTest, TakesAddedTokensBeyondTheVocabulary) {
  Json json = SmallTokenizerJson();
  json["added_tokens"].push_back(
      {{"id", 260}, {"content", "a b"}, {"special", true}});
  ASSERT_OK_AND_ASSIGN(const Vocabulary vocabulary,
                       ParseTokenizerJson(json.dump()));
  ASSERT_THAT(vocabulary.tokens, SizeIs(261));
  EXPECT_EQ(vocabulary.tokens[260], "a b");
  EXPECT_TRUE(vocabulary.is_special[260]);
}

TEST(TokenizerJsonTest, RefusesStepsThatGpt2DoesNotHave) {
  ExpectRefused({
      {"/version", "2.0", ".version: must be \"1.0\", got \"2.0\""},
      {"/truncation", 8, ".truncation: must be null or an object, got 8"},
      {"/padding", "left", ".padding: must be null or an object, got \"left\""},
      {"/normalizer",
       {{"type", "NFKC"}},
       ".normalizer: must be null or {\"type\":\"NFC\"}, got "
       "{\"type\":\"NFKC\"}"},
      {"/pre_tokenizer", nullptr,
       ".pre_tokenizer: must be an object, got null"},
      {"/pre_tokenizer/type", "Whitespace",
       ".pre_tokenizer.type: must be \"ByteLevel\", got \"Whitespace\""},
      {"/pre_tokenizer/add_prefix_space", true,
       ".pre_tokenizer.add_prefix_space: must be false, got true"},
      {"/pre_tokenizer/use_regex", false,
       ".pre_tokenizer.use_regex: must be true, got false"},
      {"/pre_tokenizer/individual_digits", true,
       ".pre_tokenizer: must have settings of GPT-2's tokenizer only, got "
       "\"individual_digits\""},
      {"/post_processor", "ByteLevel",
       ".post_processor: must be an object, got \"ByteLevel\""},
      {"/post_processor/type", "BertProcessing",
       ".post_processor.type: must be \"ByteLevel\", "
       "\"TemplateProcessing\" or \"Sequence\", got \"BertProcessing\""},
      {"/post_processor/type", 3,
       ".post_processor.type: must be \"ByteLevel\", got 3"},
      {"/decoder/type", "WordPiece",
       ".decoder.type: must be \"ByteLevel\", got \"WordPiece\""},
      {"/decoder", "ByteLevel",
       ".decoder: must be an object, got \"ByteLevel\""},
      {"/stemmer", true,
       ": must have settings of GPT-2's tokenizer only, got \"stemmer\""},
  });
}

Json TextOnly() { return {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}; }

// As transformers 5 writes it: the text itself, and no token.
Json IdentityTemplate() {
  return {
      {"type", "TemplateProcessing"},
      {"single", Json::array({TextOnly()})},
      {"pair", Json::array({TextOnly(),
                            {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}})},
      {"special_tokens", Json::object()}};
}

Json SequenceOf(Json processors) {
  return {{"type", "Sequence"}, {"processors", std::move(processors)}};
}

TEST(TokenizerJsonTest, TakesPostProcessorsThatLeaveTheIdsAsTheyAre) {
  const Json byte_level = SmallTokenizerJson()["post_processor"];
  for (const Json& step :
       {Json(nullptr), byte_level, IdentityTemplate(),
        SequenceOf(Json::array()), SequenceOf(Json::array({byte_level})),
        SequenceOf(Json::array({byte_level, IdentityTemplate()})),
        SequenceOf(Json::array({SequenceOf(Json::array({byte_level}))}))}) {
    Json json = SmallTokenizerJson();
    json["post_processor"] = step;
    ASSERT_OK_AND_ASSIGN(const Vocabulary vocabulary,
                         ParseTokenizerJson(json.dump()));
    EXPECT_THAT(vocabulary.tokens, SizeIs(260)) << step;
  }
  Json without = SmallTokenizerJson();
  without.erase("post_processor");
  EXPECT_OK(ParseTokenizerJson(without.dump()));
}

TEST(TokenizerJsonTest, RefusesPostProcessorsThatAddATokenByName) {
  const Json special = {
      {"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}};
  const std::string rule =
      ".single: must be the text alone, [{\"Sequence\":{\"id\":\"A\"}}] (no "
      "token is added to a text), got ";
  for (const Json& single :
       {Json::array({special, TextOnly()}), Json::array({TextOnly(), special}),
        Json::array({TextOnly(), TextOnly()}), Json::array(),
        Json::array({{{"Sequence", {{"id", "B"}}}}}), Json("$A")}) {
    Json step = IdentityTemplate();
    step["single"] = single;
    ExpectRefused({
        {"/post_processor", step,
         ".post_processor" + rule + single.dump().substr(0, 64)},
        {"/post_processor", SequenceOf(Json::array({step})),
         ".post_processor.processors[0]" + rule + single.dump().substr(0, 64)},
    });
  }
  ExpectRefused({
      {"/post_processor",
       {{"type", "TemplateProcessing"}},
       ".post_processor.single: must be there"},
      {"/post_processor", SequenceOf(3),
       ".post_processor.processors: must be an array, got 3"},
      {"/post_processor", SequenceOf(Json::array({3})),
       ".post_processor.processors[0]: must be an object, got 3"},
  });
}

TEST(TokenizerJsonTest, TakesWhatTheLastCallInPythonCutAndPaddedTo) {
  Json json = SmallTokenizerJson();
  json["truncation"] = {{"direction", "Right"}, {"max_length", 2}};
  json["padding"] = {{"strategy", "BatchLongest"}, {"pad_id", 0}};
  ASSERT_OK_AND_ASSIGN(const Vocabulary vocabulary,
                       ParseTokenizerJson(json.dump()));
  EXPECT_THAT(vocabulary.tokens, SizeIs(260));
}

TEST(TokenizerJsonTest, RefusesModelsThatEncodeInAnotherWay) {
  ExpectRefused({
      {"/model", "BPE", ".model: must be an object, got \"BPE\""},
      {"/model/type", "Unigram",
       ".model.type: must be \"BPE\", got \"Unigram\""},
      {"/model/dropout", 0.1, ".model.dropout: must be null or 0, got 0.1"},
      {"/model/continuing_subword_prefix", "##",
       ".model.continuing_subword_prefix: must be null or \"\", got \"##\""},
      {"/model/end_of_word_suffix", "</w>",
       ".model.end_of_word_suffix: must be null or \"\", got \"</w>\""},
      {"/model/byte_fallback", true,
       ".model.byte_fallback: must be false, got true"},
      {"/model/ignore_merges", true,
       ".model.ignore_merges: must be false, got true"},
      {"/model/scores", Json::array(),
       ".model: must have settings of GPT-2's tokenizer only, got \"scores\""},
  });
}

TEST(TokenizerJsonTest, RefusesBadTokensAndMergesByTheRulesOfTheFiles) {
  const std::string merges = ".model.merges";
  ExpectRefused({
      {"/model/vocab", Json::array(),
       ".model.vocab: must be an object of ids, got array"},
      {"/model/vocab/zz", -1,
       ".model.vocab[\"zz\"]: must be an id, an integer in [0, 262144), got "
       "-1"},
      {"/model/merges", Json::object(), merges + ": must be an array, got {}"},
      {"/model/merges/1", 7,
       merges + "[1]: must be \"a b\" or [\"a\", \"b\"], got 7"},
      {"/model/merges/1",
       {"th", "e", "n"},
       merges + "[1]: must be \"a b\" or [\"a\", \"b\"], got "
                "[\"th\",\"e\",\"n\"]"},
      {"/model/merges/1",
       {"th", 1},
       merges + "[1]: must be \"a b\" or [\"a\", \"b\"], got [\"th\",1]"},
      {"/model/merges/1", "the",
       merges + "[1]: must be two tokens with one space between, got \"the\""},
      {"/model/merges/1",
       {"th", "en"},
       merges + "[1]: must merge tokens of the vocabulary, got \"en\""},
      {"/model/merges/1", "t h",
       merges + "[1]: must be there once, got \"t\" and \"h\" again"},
  });
}

TEST(TokenizerJsonTest, RefusesAddedTokensThatMatchInAnotherWay) {
  const std::string first = ".added_tokens[0]";
  ExpectRefused({
      {"/added_tokens", Json::object(),
       ".added_tokens: must be an array, got {}"},
      {"/added_tokens/0", "<|endoftext|>",
       first + ": must be an object, got \"<|endoftext|>\""},
      {"/added_tokens/0/lstrip", 1,
       first + ".lstrip: must be true or false, got 1"},
      {"/added_tokens/0/rstrip", 1,
       first + ".rstrip: must be true or false, got 1"},
      {"/added_tokens/0/single_word", 1,
       first + ".single_word: must be true or false, got 1"},
      {"/added_tokens/0/content", 5,
       first + ".content: must be a string, got 5"},
      {"/added_tokens/0/id", "259",
       first + ".id: must be an integer in [0, 262144), got \"259\""},
      {"/added_tokens/0/id", 260,
       ".model.vocab[\"<|endoftext|>\"]: must be 260 as for the added token, "
       "got 259"},
      {"/added_tokens/1",
       {{"id", 260}, {"content", "<|endoftext|>"}},
       ".added_tokens[\"<|endoftext|>\"]: must be there once, got a second "
       "one"},
      {"/added_tokens/1",
       {{"content", "<x>"}},
       ".added_tokens[1].id: must be an integer in [0, 262144), got null"},
  });
}

TEST(TokenizerJsonTest, RefusesAFileWithoutItsParts) {
  for (const char* part : {"model", "pre_tokenizer"}) {
    Json json = SmallTokenizerJson();
    json.erase(part);
    EXPECT_THAT(
        ParseTokenizerJson(json.dump()),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 absl::StrCat("tokenizer.json.", part, ": must be there")));
  }
  EXPECT_THAT(ParseTokenizerJson("[]"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "tokenizer.json: must be an object, got []"));
  EXPECT_THAT(ParseTokenizerJson("{"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tokenizer.json: not strict JSON: ")));
}

}  // namespace
}  // namespace alignsae
