#include "model/tokenizer/nfc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/base/file.h"
#include "model/tokenizer/tokenizer.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

std::string Nfc(const std::string& text) {
  const NfcText nfc(text);
  return std::string(nfc.text());
}

TEST(NfcTest, LettersAndMarksBecomeTheirCharacter) {
  EXPECT_EQ(Nfc("cafe\u0301"), "caf\u00e9");
  EXPECT_EQ(Nfc("a\u0302\u0323"), "\u1ead");       // Marks out of order.
  EXPECT_EQ(Nfc("\u1112\u1161\u11ab"), "\ud55c");  // Hangul.
  EXPECT_EQ(Nfc("\u212b"), "\u00c5");              // One for another.
  EXPECT_EQ(Nfc("\u0958"), "\u0915\u093c");        // Never composed.
  EXPECT_EQ(Nfc("\u09c7\u09be\u0bc6\u0bbe"), "\u09cb\u0bca");
  EXPECT_EQ(Nfc("x\u0301\u0301"), "x\u0301\u0301");
  EXPECT_EQ(Nfc(std::string("\0e\u0301", 4)), std::string("\0\u00e9", 3));
}

TEST(NfcTest, BytesThatAreNotUtf8StayAsTheyAre) {
  EXPECT_EQ(Nfc("e\u0301\xff\xcc"), "\u00e9\xff\xcc");
  EXPECT_EQ(Nfc("\xed\xa0\x80u\u0308"), "\xed\xa0\x80\u00fc");
}

TEST(NfcTest, OriginsAreWhereTheClusterBegan) {
  const std::string text = "ae\u0301b\u00e9o\u0302\u0323c";
  const NfcText nfc(text);
  ASSERT_EQ(nfc.text(), "a\u00e9b\u00e9\u1ed9c");
  // a, é (2 bytes of 3), b, é (as it was), ộ (3 bytes of 5), c.
  const size_t expected[] = {0, 1, 1, 4, 5, 6, 7, 7, 7, 12, 13};
  for (size_t byte = 0; byte <= nfc.text().size(); ++byte) {
    EXPECT_EQ(nfc.Origin(byte), expected[byte]) << byte;
  }
}

// The library's own way sorts such a run in quadratic time: minutes.
TEST(NfcTest, LongRunOfMarksIsNoAttack) {
  std::string text = "a";
  for (int i = 0; i < 400000; ++i) text += i % 2 == 0 ? "\u0301" : "\u0323";
  const std::string composed = Nfc(text);
  EXPECT_EQ(composed.substr(0, 5), "\u1ea1\u0323");
  EXPECT_EQ(composed.size(), text.size());  // 1 + 2 bytes became 3.
}

TEST(NfcTokenizerTest, IdsAreTheLibrarysAndOffsetsPointIntoTheText) {
  const std::string directory =
      std::string(ALIGNSAE_SOURCE_DIR) + "/tests/golden/gpt_neox/parallel";
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer, Tokenizer::Load(directory));
  ASSERT_OK_AND_ASSIGN(const std::string json,
                       ReadFile(directory + "/encodings.json"));
  int checked = 0;
  for (const auto& row : nlohmann::json::parse(json)) {
    const std::string text = row["text"];
    EXPECT_EQ(tokenizer.Encode(text, {.parse_special = true}),
              row["ids"].get<std::vector<int32_t>>())
        << text;
    size_t last = 0;
    for (const Tokenizer::EncodedToken& token :
         tokenizer.EncodeWithOffsets(text, {.parse_special = true})) {
      EXPECT_GE(token.begin, last);
      EXPECT_LT(token.begin, text.size());
      last = token.begin;
    }
    ++checked;
  }
  EXPECT_EQ(checked, 10);
  const std::vector<int32_t> ids = tokenizer.Encode("the e\u0301");
  EXPECT_EQ(tokenizer.Decode(ids).value(), "the \u00e9");
}

}  // namespace
}  // namespace alignsae
