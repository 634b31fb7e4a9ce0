// generation_config.json: its end tokens, and what is warned about.

#include "model/bundle/generation_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GenerationConfigTest : public ::testing::Test {
 protected:
  GenerationConfigTest()
      : directory_(absl::StrCat(
            ::testing::TempDir(), "/generation_config_test.",
            ::testing::UnitTest::GetInstance()->current_test_info()->name())),
        path_(directory_ + "/generation_config.json") {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~GenerationConfigTest() override { std::filesystem::remove_all(directory_); }

  absl::StatusOr<GenerationConfig> Read(const std::string& text) {
    EXPECT_OK(WriteFileAtomically(path_, text));
    return ReadGenerationConfig(directory_, /*vocab_size=*/100);
  }

  const std::string directory_;
  const std::string path_;
};

TEST_F(GenerationConfigTest, SaysNothingWhereThereIsNoFile) {
  ASSERT_OK_AND_ASSIGN(const GenerationConfig config,
                       ReadGenerationConfig(directory_, 100));
  EXPECT_EQ(config.end_tokens, EndTokens());
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST_F(GenerationConfigTest, ReadsWhatTransformersWrites) {
  ASSERT_OK_AND_ASSIGN(const GenerationConfig config,
                       Read(R"({"_from_model_config": true, "bos_token_id": 90,
               "eos_token_id": [90, 10], "do_sample": true, "top_k": 50,
               "num_beams": 1, "min_length": 0, "bad_words_ids": null,
               "transformers_version": "4.57.3"})"));
  EXPECT_THAT(config.end_tokens.ids, ElementsAre(90, 10));
  EXPECT_THAT(config.warnings, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const GenerationConfig none, Read("{}"));
  EXPECT_EQ(none.end_tokens, EndTokens());
}

TEST_F(GenerationConfigTest, WarnsOfIdsThatCannotBeReached) {
  ASSERT_OK_AND_ASSIGN(const GenerationConfig config,
                       Read(R"({"eos_token_id": [100, 99]})"));
  EXPECT_THAT(config.end_tokens.ids, ElementsAre(99));
  EXPECT_THAT(
      config.warnings,
      ElementsAre(HasSubstr(absl::StrCat(path_, ": eos_token_id: 100 lies"))));
}

TEST_F(GenerationConfigTest, WarnsOfSettingsThatNoRequestCanAskFor) {
  ASSERT_OK_AND_ASSIGN(
      const GenerationConfig config,
      Read(R"({"suppress_tokens": [3], "num_beams": 4, "bad_words_ids": [],
               "guidance_scale": 1.0, "sequence_bias": {}})"));
  EXPECT_THAT(config.warnings,
              ElementsAre(HasSubstr("num_beams: has no effect here, got 4"),
                          HasSubstr("suppress_tokens: has no effect here")));
}

TEST_F(GenerationConfigTest, RefusesAFileThatIsNotOneByName) {
  EXPECT_THAT(Read("{\"eos_token_id\": 1.5}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat(path_,
                                    ": eos_token_id: must be a token id (an "
                                    "integer in [0, 2147483647]) or a list of "
                                    "them, got 1.5")));
  EXPECT_THAT(
      Read("[1]"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               absl::StrCat(path_, ": must be an object, got an array")));
  for (const char* text : {"", "{", "{\"a\": 1, \"a\": 2}"}) {
    EXPECT_THAT(Read(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(path_)))
        << text;
  }
}

}  // namespace
}  // namespace alignsae
