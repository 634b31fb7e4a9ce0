// The trainer, the encoder and the file layouts against the Hugging Face
// tokenizers library. The golden file is made by
// tests/golden/make_tokenizer_golden.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/tokenizer/bpe_trainer.h"
#include "model/tokenizer/byte_alphabet.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

class TokenizerGoldenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(
        const std::string text,
        ReadFile(ALIGNSAE_SOURCE_DIR "/tests/golden/tokenizer_golden.json"));
    ASSERT_OK_AND_ASSIGN(golden_, ParseJson(text));
    ASSERT_EQ(golden_["format"], "alignsae-tokenizer-golden");
    ASSERT_EQ(golden_["version"], 1)
        << "run tests/golden/make_tokenizer_golden.py";
    merges_txt_ = "#version: 0.2\n";
    for (const Json& merge : golden_["merges"]) {
      absl::StrAppend(&merges_txt_, merge.get<std::string>(), "\n");
    }
  }

  absl::StatusOr<Tokenizer> FromFiles(const std::string& added_tokens) {
    return Tokenizer::FromFiles(golden_["vocab"].dump(), merges_txt_,
                                added_tokens);
  }

  void ExpectEncodings(const Tokenizer& tokenizer, const Json& cases,
                       bool parse_special) {
    ASSERT_GT(cases.size(), 5u);
    for (const Json& entry : cases) {
      const std::string text = entry["text"].get<std::string>();
      const std::vector<int32_t> ids =
          tokenizer.Encode(text, {.parse_special = parse_special});
      EXPECT_EQ(ids, entry["ids"].get<std::vector<int32_t>>()) << entry["text"];
      EXPECT_THAT(tokenizer.Decode(ids), IsOkAndHolds(text));
    }
  }

  Json golden_;
  std::string merges_txt_;
};

TEST_F(TokenizerGoldenTest, TrainsTheVocabularyThatTheirTrainerTrains) {
  BpeTrainerOptions options;
  options.vocab_size = golden_["vocab_size"].get<int>();
  options.min_frequency = golden_["min_frequency"].get<int>();
  ASSERT_OK_AND_ASSIGN(
      const BpeVocabulary trained,
      TrainBpe(golden_["corpus"].get<std::vector<std::string>>(), options));
  EXPECT_EQ(trained.merges_txt, merges_txt_);
  EXPECT_THAT(ParseJson(trained.vocab_json), IsOkAndHolds(golden_["vocab"]));
}

TEST_F(TokenizerGoldenTest, EncodesAsTheyDo) {
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, FromFiles(""));
  ExpectEncodings(tokenizer, golden_["encodings"], /*parse_special=*/false);
}

TEST_F(TokenizerGoldenTest, ParsesAddedTokensAsTheyDo) {
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer,
                       FromFiles(golden_["added_tokens"].dump()));
  ExpectEncodings(tokenizer, golden_["special_encodings"],
                  /*parse_special=*/true);
}

TEST_F(TokenizerGoldenTest, LoadsTheTokenizerJsonThatTheyWrite) {
  const std::string directory =
      absl::StrCat(::testing::TempDir(), "/tokenizer_golden_test");
  std::filesystem::create_directories(directory);
  EXPECT_OK(WriteFileAtomically(directory + "/tokenizer.json",
                                golden_["tokenizer_json"].dump()));
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Tokenizer::Load(directory));
  std::filesystem::remove_all(directory);
  ExpectEncodings(tokenizer, golden_["encodings"], /*parse_special=*/false);
  ExpectEncodings(tokenizer, golden_["special_encodings"],
                  /*parse_special=*/true);
}

TEST_F(TokenizerGoldenTest, StreamsBytesThatAreNoUtf8AsPythonReplacesThem) {
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, FromFiles(""));
  for (const Json& entry : golden_["replaced"]) {
    const std::string bytes =
        absl::HexStringToBytes(entry["hex"].get<std::string>());
    StreamDecoder decoder(&tokenizer);
    std::string text;
    for (int32_t id : tokenizer.Encode(bytes)) text += decoder.Push(id);
    text += decoder.Finish();
    EXPECT_EQ(text, entry["text"].get<std::string>()) << entry["hex"];
  }
}

}  // namespace
}  // namespace alignsae
