// GPT-2's own vocabulary, which is not part of this repository. The files are
// looked for in $ALIGNSAE_GPT2_TOKENIZER_DIR, then in
// ../shared/data/gpt2-tokenizer beside the repository.
// tests/tokenizer/fetch_gpt2_tokenizer.sh makes such a directory. Without one
// these tests are skipped.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

constexpr char kMergesSha256[] =
    "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5";
// As published (escapes beyond ASCII), and written again as UTF-8.
constexpr const char* kVocabSha256[] = {
    "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    "03087853bc70c618b66e7c7a43e787d2db4c469416beac9a483e53dad1f72f27"};

// The 260 texts on which js-tiktoken and gpt-3-encoder agree.
constexpr char kEncodingsSha256[] =
    "19cddd85edd7ac99344b9bd5f2dcf4512732d0e307bd8e3088a33fe178ef1392";
constexpr int kEncodings = 260;

std::optional<std::string> FindDirectory() {
  if (const char* named = std::getenv("ALIGNSAE_GPT2_TOKENIZER_DIR")) {
    return std::string(named);  // Named: it has to be there.
  }
  const std::string beside =
      ALIGNSAE_SOURCE_DIR "/../shared/data/gpt2-tokenizer";
  if (FileExists(beside + "/vocab.json")) return beside;
  return std::nullopt;
}

class Gpt2VocabularyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::optional<std::string> directory = FindDirectory();
    if (!directory.has_value()) {
      GTEST_SKIP() << "GPT-2's vocabulary is not at hand. Run "
                      "tests/tokenizer/fetch_gpt2_tokenizer.sh DIR and set "
                      "ALIGNSAE_GPT2_TOKENIZER_DIR=DIR";
    }
    directory_ = *directory;
    EXPECT_THAT(Sha256OfFile(directory_ + "/merges.txt"),
                IsOkAndHolds(std::string(kMergesSha256)));
    EXPECT_THAT(Sha256OfFile(directory_ + "/vocab.json"),
                IsOkAndHolds(::testing::AnyOf(std::string(kVocabSha256[0]),
                                              std::string(kVocabSha256[1]))));
  }

  std::string directory_;
};

TEST_F(Gpt2VocabularyTest, EncodesEveryKnownTextExactly) {
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Tokenizer::Load(directory_));
  EXPECT_EQ(tokenizer.vocab_size(), 50257);
  EXPECT_EQ(tokenizer.eos_token_id(), 50256);
  EXPECT_EQ(tokenizer.longest_text_token(), 128u);

  ASSERT_OK_AND_ASSIGN(const std::string lines,
                       ReadFile(directory_ + "/encodings.jsonl"));
  int checked = 0;
  for (absl::string_view line :
       absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    ASSERT_OK_AND_ASSIGN(const nlohmann::json known, ParseJson(line));
    const std::string text = known["text"].get<std::string>();
    const std::vector<int32_t> ids = tokenizer.Encode(text);
    EXPECT_EQ(ids, known["ids"].get<std::vector<int32_t>>()) << known["text"];
    EXPECT_THAT(tokenizer.Decode(ids), IsOkAndHolds(text));
    ++checked;
  }
  // Another file is what the fetch script made of the golden texts.
  const bool is_known = Sha256Hex(lines) == kEncodingsSha256;
  EXPECT_GE(checked, is_known ? kEncodings : 50);
  if (std::getenv("ALIGNSAE_GPT2_TOKENIZER_DIR") == nullptr) {
    EXPECT_TRUE(is_known) << directory_ << "/encodings.jsonl was changed";
  }
  RecordProperty("texts", checked);
}

TEST_F(Gpt2VocabularyTest, RoundTripsAMebibyteOfAnyOneThing) {
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Tokenizer::Load(directory_));
  for (const std::string& unit :
       {std::string("a"), std::string(" "), std::string("😀"),
        std::string("e\u0301"), std::string("\xff"), std::string(1, '\0'),
        std::string("\r\n")}) {
    std::string text;
    while (text.size() < (1 << 20)) text += unit;
    const absl::StatusOr<std::string> back =
        tokenizer.Decode(tokenizer.Encode(text));
    ASSERT_OK(back);
    EXPECT_TRUE(*back == text) << unit;  // Not EXPECT_EQ: it would print them.
  }
}

}  // namespace
}  // namespace alignsae
