#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class LoadTest : public ::testing::Test {
 protected:
  LoadTest()
      : directory_(absl::StrCat(
            ::testing::TempDir(), "/load_test.",
            ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~LoadTest() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& name, const std::string& contents) {
    EXPECT_OK(WriteFileAtomically(directory_ + "/" + name, contents));
  }
  void WriteVocabularyFiles() {
    Write("vocab.json", SmallVocab().dump());
    Write("merges.txt", kSmallMerges);
  }

  absl::StatusOr<Tokenizer> Load() { return Tokenizer::Load(directory_); }

  static Json SmallTokenizerJson() {
    return {
        {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
        {"added_tokens",
         {{{"id", 259}, {"content", "<|endoftext|>"}},
          {{"id", 260}, {"content", "<pad>"}}}},
        {"model",
         {{"vocab", SmallVocab()}, {"merges", {"t h", "th e", "\u0120 the"}}}}};
  }

  const std::string directory_;
};

TEST_F(LoadTest, ReadsVocabAndMerges) {
  WriteVocabularyFiles();
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Load());
  EXPECT_EQ(tokenizer.vocab_size(), 260);
  EXPECT_EQ(tokenizer.eos_token_id(), 259);
  EXPECT_EQ(tokenizer.longest_text_token(), 4u);  // " the"; the end is special.
}

TEST_F(LoadTest, ReadsAddedTokensBesideThem) {
  WriteVocabularyFiles();
  Write("added_tokens.json", R"({"<pad>":260})");
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Load());
  EXPECT_FALSE(tokenizer.IsSpecial(260));
  EXPECT_THAT(tokenizer.Encode("<pad>"), ElementsAre(260));
}

TEST_F(LoadTest, ReadsTokenizerJsonAlone) {
  Write("tokenizer.json", SmallTokenizerJson().dump());
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Load());
  EXPECT_EQ(tokenizer.vocab_size(), 261);
  EXPECT_EQ(tokenizer.eos_token_id(), 259);
}

TEST_F(LoadTest, LetsTokenizerJsonAddTokensToFilesThatAgree) {
  WriteVocabularyFiles();
  Write("tokenizer.json", SmallTokenizerJson().dump());
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Load());
  EXPECT_EQ(tokenizer.vocab_size(), 261);
}

TEST_F(LoadTest, RefusesLayoutsThatDisagree) {
  const auto disagreement = [this](absl::string_view words) {
    return StatusIs(absl::StatusCode::kInvalidArgument,
                    absl::StrCat(directory_, ": tokenizer.json: ", words));
  };
  const std::string tokens =
      "must have the tokens of vocab.json and added_tokens.json, got ";
  WriteVocabularyFiles();

  Json other_token = SmallTokenizerJson();
  other_token["model"]["vocab"].erase("the");
  other_token["model"]["vocab"]["thy"] = 257;
  other_token["model"]["merges"] = {"t h"};
  Write("tokenizer.json", other_token.dump());
  EXPECT_THAT(Load(), disagreement(absl::StrCat(
                          tokens, "\"thy\" for id 257 and there \"the\"")));

  Json more = SmallTokenizerJson();
  more["model"]["vocab"]["thy"] = 261;
  Write("tokenizer.json", more.dump());
  EXPECT_THAT(Load(), disagreement(absl::StrCat(
                          tokens, "\"thy\" for id 261 and there none")));

  Write("tokenizer.json", SmallTokenizerJson().dump());
  Write("added_tokens.json", R"({"<pad>":260,"<x>":261})");
  EXPECT_THAT(Load(),
              disagreement(absl::StrCat(
                  tokens, "none for id 261 and there added token \"<x>\"")));
  std::filesystem::remove(directory_ + "/added_tokens.json");

  Json unmarked = SmallTokenizerJson();
  unmarked["model"]["vocab"]["zz"] = 261;
  Write("tokenizer.json", unmarked.dump());
  Write("added_tokens.json", R"({"<pad>":260,"zz":261})");
  EXPECT_THAT(Load(),
              disagreement(absl::StrCat(
                  tokens, "\"zz\" for id 261 and there added token \"zz\"")));
  std::filesystem::remove(directory_ + "/added_tokens.json");

  Json swapped = SmallTokenizerJson();
  swapped["model"]["merges"] = {"t h", "th e"};
  Write("tokenizer.json", swapped.dump());
  EXPECT_THAT(Load(), disagreement("must have the merges of merges.txt, got "
                                   "another one at rank 2 (2 and 3 merges)"));
}

TEST_F(LoadTest, SaysWhichFileIsMissing) {
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound,
                               HasSubstr(directory_ + "/vocab.json")));
  Write("vocab.json", SmallVocab().dump());
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound,
                               HasSubstr(directory_ + "/merges.txt")));
}

TEST_F(LoadTest, NamesTheDirectoryTheFileAndTheEntry) {
  WriteVocabularyFiles();
  Write("merges.txt", "t h\nt x\n");
  EXPECT_THAT(
      Load(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               absl::StrCat(directory_,
                            ": merges.txt line 2: must make a token of the "
                            "vocabulary, got \"tx\"")));
}

TEST_F(LoadTest, RefusesOptionalFilesThatAreEmpty) {
  for (const char* name :
       {"added_tokens.json", "tokenizer.json", "tokenizer_config.json"}) {
    WriteVocabularyFiles();
    Write(name, "");
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                                 absl::StrCat(directory_, ": ", name,
                                              ": must not be empty")));
    std::filesystem::remove(directory_ + "/" + name);
  }
}

TEST_F(LoadTest, RefusesATokenizerConfigThatChangesTheEncoding) {
  WriteVocabularyFiles();
  Write("tokenizer_config.json",
        R"({"model_max_length":1024,"add_bos_token":false})");
  EXPECT_OK(Load());
  for (const char* key :
       {"add_prefix_space", "add_bos_token", "add_eos_token"}) {
    Write("tokenizer_config.json", absl::StrCat("{\"", key, "\":true}"));
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                                 absl::StrCat(directory_,
                                              ": tokenizer_config.json: ", key,
                                              ": must be false, got true")));
  }
  Write("tokenizer_config.json", "[]");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("tokenizer_config.json: must be an "
                                         "object, got array")));
}

TEST_F(LoadTest, ReadsTheConfigThatTransformersWrites) {
  Write("tokenizer.json", SmallTokenizerJson().dump());
  Write("tokenizer_config.json", R"({
    "add_prefix_space": false, "backend": "tokenizers",
    "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
    "errors": "replace", "is_local": true,
    "model_max_length": 1000000000000000019884624838656, "pad_token": null,
    "added_tokens_decoder": {"259": {"content": "<|endoftext|>", "lstrip": false,
      "normalized": false, "rstrip": false, "single_word": false,
      "special": true}},
    "tokenizer_class": "GPT2Tokenizer", "unk_token": "<|endoftext|>"})");
  EXPECT_OK(Load());
}

// A name makes a token special, in whichever file and form it stands.
TEST_F(LoadTest, TokensThatHaveAPartAreSpecial) {
  WriteVocabularyFiles();
  Write("added_tokens.json", R"({"<pad>":260,"<e_1>":261})");
  for (const auto& [file, text] :
       std::vector<std::pair<std::string, std::string>>{
           {"tokenizer_config.json", R"({"pad_token":"<pad>"})"},
           {"special_tokens_map.json", R"({"pad_token":"<pad>"})"},
           {"special_tokens_map.json",
            R"({"additional_special_tokens":["<pad>"]})"},
           {"tokenizer_config.json",
            R"({"extra_special_tokens":{"a":"<pad>"}})"},
           {"tokenizer_config.json",
            R"({"pad_token":{"__type":"AddedToken","content":"<pad>"}})"},
           {"tokenizer_config.json",
            R"({"added_tokens_decoder":{"260":{"content":"<pad>",
                "special":true},"261":{"content":"<e_1>"}}})"}}) {
    Write(file, text);
    ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Load());
    EXPECT_TRUE(tokenizer.IsSpecial(260)) << text;
    EXPECT_FALSE(tokenizer.IsSpecial(261)) << text;
    EXPECT_EQ(tokenizer.Encode("<pad>").size(), 5u) << text;
    EXPECT_THAT(tokenizer.Encode("<e_1>"), ElementsAre(261)) << text;
    std::filesystem::remove(directory_ + "/" + file);
  }
}

TEST_F(LoadTest, TakesTokensAndTheirSwitchesFromTheDecoderAlone) {
  WriteVocabularyFiles();
  Write("tokenizer_config.json", R"({"added_tokens_decoder": {
    "259": {"content": "<|endoftext|>", "special": true},
    "260": {"content": "<e_1>", "lstrip": true}}})");
  ASSERT_OK_AND_ASSIGN(const Tokenizer files, Load());
  EXPECT_THAT(files.Encode("<e_1>  <e_1>"), ElementsAre(260, 260));

  std::filesystem::remove(directory_ + "/vocab.json");
  Json json = SmallTokenizerJson();
  json["added_tokens"] = Json::array();
  Write("tokenizer.json", json.dump());
  ASSERT_OK_AND_ASSIGN(const Tokenizer from_json, Load());
  EXPECT_THAT(from_json.Encode("<e_1>  <e_1>"), ElementsAre(260, 260));
}

TEST_F(LoadTest, AnAddedTokenOfTheVocabularyStaysInItsWordInFilesBefore4_34) {
  const int32_t the = 257, space_the = 258;
  Json json = SmallTokenizerJson();
  json["added_tokens"].push_back({{"id", the}, {"content", "the"}});
  const auto expect = [&](const char* config, bool whole) {
    Write("tokenizer.json", json.dump());
    std::filesystem::remove(directory_ + "/tokenizer_config.json");
    if (*config != '\0') Write("tokenizer_config.json", config);
    ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Load());
    const std::vector<int32_t> ids = tokenizer.Encode(" the");
    EXPECT_EQ(ids.size(), whole ? 1u : 2u) << config;
    EXPECT_EQ(ids.back(), whole ? space_the : the) << config;
    EXPECT_THAT(tokenizer.Encode("<pad>"), ElementsAre(260)) << config;
    EXPECT_EQ(tokenizer.Encode("<|endoftext|>", {.parse_special = true}),
              std::vector<int32_t>{259});
    if (whole) {
      EXPECT_THAT(tokenizer.warnings(),
                  ElementsAre(HasSubstr("1 added tokens are in the vocabulary "
                                        "too (\"the\") and stay in their")));
    } else {
      EXPECT_TRUE(tokenizer.warnings().empty());
    }
  };
  expect("", false);  // Nobody says who wrote it.
  expect("{}", true);
  expect(R"({"added_tokens_decoder": {}})", false);
  json["model"]["ignore_merges"] = false;
  expect("{}", false);
}

TEST_F(LoadTest, RefusesFilesThatContradictEachOtherAboutAddedTokens) {
  WriteVocabularyFiles();
  Write("added_tokens.json", R"({"<pad>":260})");
  for (const auto& [config, rule] :
       std::vector<std::pair<std::string, std::string>>{
           {R"({"added_tokens_decoder":{"261":{"content":"<e_1>"},
               "263":{"content":"<e_2>"}}})",
            "vocab.json: must have the ids 0 to 262 for its 263 tokens"},
           {R"({"added_tokens_decoder":{"261":{"content":"<pad>"}}})",
            "must have \"<pad>\" as the vocabulary's files have it (id 260, "
            "normalized), got id 261, normalized"},
           {R"({"added_tokens_decoder":{"65":{"content":"<e_1>"}}})",
            "must have an id of its own, got 65"},
           {R"({"added_tokens_decoder":{"-1":{"content":"<e_1>"}}})",
            "added_tokens_decoder[\"-1\"]: must be under an id in [0, "},
           {R"({"added_tokens_decoder":{"261":7}})",
            "added_tokens_decoder[\"261\"]: must be an object, got 7"},
           {R"({"added_tokens_decoder":[]})",
            "added_tokens_decoder: must be an object, got []"},
           {R"({"added_tokens_decoder":{"261":{"content":"<e>","lstrip":1}}})",
            "added_tokens_decoder[\"261\"].lstrip: must be true or false"},
           {R"({"mask_token":"[MASK]"})",
            "tokenizer_config.json: mask_token: must be a token that one of "
            "the files gives an id, got \"[MASK]\""},
           {R"({"pad_token":"th"})", "must not make a special token, got"},
           {R"({"pad_token":"t"})",
            "must not be a special token, got the token of byte 116"},
       }) {
    Write("tokenizer_config.json", config);
    EXPECT_THAT(Load(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(rule)))
        << config;
  }
  Write("tokenizer_config.json", R"({"added_tokens_decoder":{
    "259":{"content":"<|endoftext|>","special":true},
    "260":{"content":"<pad>","special":true}}})");
  Json json = SmallTokenizerJson();
  Write("tokenizer.json", json.dump());
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("must have \"<pad>\" as the "
                                         "vocabulary's files have it")));
}

}  // namespace
}  // namespace alignsae
