#include "model/tokenizer/byte_alphabet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace alignsae {
namespace {

using ::testing::Optional;

std::string AllBytes() {
  std::string bytes;
  for (int b = 0; b < 256; ++b) bytes.push_back(static_cast<char>(b));
  return bytes;
}

TEST(ByteAlphabetTest, SpellsBlanksAsGpt2Does) {
  EXPECT_EQ(SymbolsFromBytes(" the"), "\u0120the");
  EXPECT_EQ(SymbolsFromBytes("\n\t\r"), "\u010a\u0109\u010d");
  EXPECT_EQ(SymbolsFromBytes(std::string(1, '\0')), "\u0100");
  EXPECT_EQ(SymbolsFromBytes("\x7f\xa0\xad\xff"), "\u0121\u0142\u0143\u00ff");
}

TEST(ByteAlphabetTest, ReadsBackEveryByte) {
  EXPECT_THAT(BytesFromSymbols(SymbolsFromBytes(AllBytes())),
              Optional(AllBytes()));
}

TEST(ByteAlphabetTest, RefusesCharactersThatStandForNoByte) {
  for (const char* symbols : {" ", "a b", "\t", "\u00a0", "\u00ad", "\u0144",
                              "\u20ac", "\U0001f600", "\xff", "a\xc4"}) {
    EXPECT_EQ(BytesFromSymbols(symbols), std::nullopt) << symbols;
  }
}

TEST(ByteAlphabetTest, OrdersBytesAsGpt2sVocabularyDoes) {
  const auto& order = BytesInVocabularyOrder();
  EXPECT_EQ(std::set<uint8_t>(order.begin(), order.end()).size(), 256u);
  EXPECT_EQ(order[0], '!');
  EXPECT_EQ(order[93], '~');
  EXPECT_EQ(order[94], 0xa1);
  EXPECT_EQ(order[187], 0xff);
  EXPECT_EQ(order[188], 0x00);
  EXPECT_EQ(order[220], ' ');
  EXPECT_EQ(order[255], 0xad);
}

}  // namespace
}  // namespace alignsae
