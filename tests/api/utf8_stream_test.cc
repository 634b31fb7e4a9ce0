#include "server/api/utf8_stream.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

TEST(Utf8StreamTest, HoldsBackWhatIsNotWhole) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("a\xf0\x9f"), "a");
  EXPECT_EQ(stream.Push("\x99"), "");
  EXPECT_EQ(stream.Push("\x82z"), "\xf0\x9f\x99\x82z");
  EXPECT_EQ(stream.Finish(), "");
}

TEST(Utf8StreamTest, WhatCannotBecomeACharacterIsReplaced) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("\xff\xc3"), "\xef\xbf\xbd");
  EXPECT_EQ(stream.Push("("), "\xef\xbf\xbd(");
  EXPECT_EQ(stream.Push("\xe2\x82"), "");
  EXPECT_EQ(stream.Finish(), "\xef\xbf\xbd");
  EXPECT_EQ(ToUtf8("ok \xe2\x82"), "ok \xef\xbf\xbd");
}

}  // namespace
}  // namespace alignsae
