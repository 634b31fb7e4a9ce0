#include "server/process/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

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
  EXPECT_TRUE(FlushLog(absl::Seconds(10)));
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find(" level=info event=rpc code=OK tokens=3\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("hidden"), std::string::npos);
}

// Standard error is a pipe that is full and that nobody reads.
class BlockedLogTest : public ::testing::Test {
 protected:
  BlockedLogTest() {
    EXPECT_EQ(pipe(pipe_), 0);
    saved_ = dup(STDERR_FILENO);
    EXPECT_GE(dup2(pipe_[1], STDERR_FILENO), 0);
    fcntl(pipe_[1], F_SETFL, O_NONBLOCK);
    const std::string page(4096, 'x');
    while (write(pipe_[1], page.data(), page.size()) > 0) {
    }
    fcntl(pipe_[1], F_SETFL, 0);
    InitLogging("info");
  }
  ~BlockedLogTest() override {
    dup2(saved_, STDERR_FILENO);
    for (int fd : {saved_, pipe_[0], pipe_[1]}) close(fd);
  }
  // What was written, beside what filled the pipe.
  std::string Read() {
    fcntl(pipe_[0], F_SETFL, O_NONBLOCK);
    std::string text;
    bool whole = false;
    do {
      whole = FlushLog(absl::Milliseconds(10));
      char buffer[4096];
      ssize_t size = 0;
      while ((size = read(pipe_[0], buffer, sizeof(buffer))) > 0) {
        text.append(buffer, size);
      }
    } while (!whole);
    return text;
  }

  int pipe_[2] = {-1, -1};
  int saved_ = -1;
};

TEST_F(BlockedLogTest, NobodyWaitsAndTheOldestLinesAreDroppedAndCounted) {
  const int64_t before = LogLinesDropped();
  constexpr int kLines = 20000;
  for (int i = 0; i < kLines; ++i) LogLine(LogLevel::kInfo, "rpc").Add("i", i);
  EXPECT_FALSE(FlushLog(absl::Milliseconds(20)));
  const int64_t dropped = LogLinesDropped() - before;
  EXPECT_GT(dropped, kLines / 2);
  const std::string text = Read();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), kLines - dropped);
  EXPECT_NE(text.find(absl::StrCat(" i=", kLines - 1, "\n")),
            std::string::npos);
}

}  // namespace
}  // namespace alignsae
