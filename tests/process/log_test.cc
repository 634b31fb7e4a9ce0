#include "server/process/log.h"

#include <gtest/gtest.h>

#include <string>

namespace alignsae {
namespace {

TEST(LogTest, WritesHarmlessValuesBare) {
  EXPECT_EQ(LogValue("ConceptService/ReadConcepts"),
            "ConceptService/ReadConcepts");
  EXPECT_EQ(LogValue("12.5"), "12.5");
}

TEST(LogTest, QuotesWhatWouldForgeAnotherFieldOrLine) {
  EXPECT_EQ(LogValue("a b"), "\"a b\"");
  EXPECT_EQ(LogValue("x\" code=OK"), "\"x\\\" code=OK\"");
  EXPECT_EQ(LogValue("x\nts=now"), "\"x\\nts=now\"");
  EXPECT_EQ(LogValue(""), "\"\"");
}

TEST(LogTest, CutsLongValues) {
  EXPECT_LT(LogValue(std::string(1 << 20, 'x')).size(), 1100u);
}

TEST(LogTest, MakesNoTextWhenItsLevelIsOff) {
  InitLogging("warning");
  LogLine off(LogLevel::kInfo, "rpc");
  off.Add("code", "OK").Add("tokens", 3);
  EXPECT_EQ(off.text(), "");
  LogLine on(LogLevel::kWarning, "rpc");
  on.Add("tokens", 3);
  EXPECT_EQ(on.text(), "event=rpc tokens=3");
}

TEST(LogTest, WritesOneLineWithLevelEventAndFields) {
  InitLogging("info");
  testing::internal::CaptureStderr();
  LogLine(LogLevel::kInfo, "rpc").Add("code", "OK").Add("tokens", 3);
  LogLine(LogLevel::kDebug, "hidden");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find(" level=info event=rpc code=OK tokens=3\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("hidden"), std::string::npos);
}

}  // namespace
}  // namespace alignsae
