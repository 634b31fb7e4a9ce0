#include "model/tokenizer/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace alignsae {
namespace {

struct Case {
  absl::string_view text;
  Utf8Char::State state;
  size_t length;
  uint32_t code_point;  // 0 where there is none.
};

TEST(Utf8Test, TellsWholeBadAndUnfinishedCharactersApart) {
  const Case cases[] = {
      {absl::string_view("\0x", 2), Utf8Char::kWhole, 1, 0},
      {"\x7f", Utf8Char::kWhole, 1, 0x7f},
      {"\xc2\x80!", Utf8Char::kWhole, 2, 0x80},
      {"\xdf\xbf", Utf8Char::kWhole, 2, 0x7ff},
      {"\xe0\xa0\x80", Utf8Char::kWhole, 3, 0x800},
      {"\xed\x9f\xbf", Utf8Char::kWhole, 3, 0xd7ff},
      {"\xee\x80\x80", Utf8Char::kWhole, 3, 0xe000},
      {"\xf0\x90\x80\x80", Utf8Char::kWhole, 4, 0x10000},
      {"\xf4\x8f\xbf\xbf!", Utf8Char::kWhole, 4, 0x10ffff},
      {"\x80", Utf8Char::kBad, 1, 0},
      {"\xc0\x80", Utf8Char::kBad, 1, 0},          // Overlong.
      {"\xe0\x9f\xbf", Utf8Char::kBad, 1, 0},      // Overlong.
      {"\xf0\x8f\xbf\xbf", Utf8Char::kBad, 1, 0},  // Overlong.
      {"\xed\xa0\x80", Utf8Char::kBad, 1, 0},      // Surrogate.
      {"\xf4\x90\x80\x80", Utf8Char::kBad, 1, 0},  // Above U+10FFFF.
      {"\xf5\x80\x80\x80", Utf8Char::kBad, 1, 0},
      {"\xc3(", Utf8Char::kBad, 1, 0},
      {"\xe2\x82(", Utf8Char::kBad, 2, 0},
      {"\xf0\x9f\x98(", Utf8Char::kBad, 3, 0},
      {"\xc3", Utf8Char::kUnfinished, 1, 0},
      {"\xe2\x82", Utf8Char::kUnfinished, 2, 0},
      {"\xf0\x9f\x98", Utf8Char::kUnfinished, 3, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::PrintToString(std::string(c.text)));
    const Utf8Char got = ReadUtf8(c.text);
    EXPECT_EQ(got.state, c.state);
    EXPECT_EQ(got.length, c.length);
    EXPECT_EQ(static_cast<uint32_t>(got.code_point), c.code_point);
  }
}

TEST(Utf8Test, AppendsWhatItReads) {
  for (uint32_t code_point = 0; code_point < 0x800; ++code_point) {
    std::string text;
    AppendUtf8(code_point, text);
    const Utf8Char got = ReadUtf8(text);
    ASSERT_EQ(got.state, Utf8Char::kWhole) << code_point;
    ASSERT_EQ(got.length, text.size()) << code_point;
    ASSERT_EQ(static_cast<uint32_t>(got.code_point), code_point);
  }
}

}  // namespace
}  // namespace alignsae
