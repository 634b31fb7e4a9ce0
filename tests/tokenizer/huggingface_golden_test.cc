// Tokenizers that transformers 5 and 4.30 saved give the ids that those gave:
// see tests/interop/huggingface_models.py, which writes the files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/tokenizer/tokenizer.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

class HuggingFaceGoldenTest : public ::testing::TestWithParam<std::string> {};

TEST_P(HuggingFaceGoldenTest, GivesTheIdsOfTheLibraryThatWroteIt) {
  const std::string root = absl::StrCat(
      ALIGNSAE_SOURCE_DIR, "/tests/golden/huggingface/", GetParam());
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       ReadFile(root + "/expected.json"));
  const nlohmann::json expected = nlohmann::json::parse(text);
  ASSERT_EQ(expected["tokenizers"].size(), 6u);
  for (const auto& [kind, rows] : expected["tokenizers"].items()) {
    ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer,
                         Tokenizer::Load(absl::StrCat(root, "/", kind)));
    ASSERT_EQ(rows.size(), 6u);
    for (const nlohmann::json& row : rows) {
      const auto line = row["text"].get<std::string>();
      EXPECT_EQ(tokenizer.Encode(line, {.parse_special = true}),
                row["parsed"].get<std::vector<int32_t>>())
          << kind << ": " << line;
      if (row["plain"].is_null()) continue;  // 4.30 has no such encoding.
      EXPECT_EQ(tokenizer.Encode(line),
                row["plain"].get<std::vector<int32_t>>())
          << kind << ": " << line;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, HuggingFaceGoldenTest,
                         ::testing::Values("5", "4.30"));

}  // namespace
}  // namespace alignsae
