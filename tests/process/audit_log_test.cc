#include "server/process/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class AuditLogTest : public ::testing::Test {
 protected:
  ~AuditLogTest() override { unlink(path_.c_str()); }
  const std::string path_ =
      absl::StrCat(::testing::TempDir(), "/audit_log.", getpid());
};

TEST_F(AuditLogTest, AppendsWholeLinesForItsOwnerOnly) {
  for (const char* line : {"{\"a\":1}", "{\"b\":2}"}) {
    ASSERT_OK_AND_ASSIGN(const auto log, AuditLog::Open(path_));
    log->Write(line);
  }
  EXPECT_THAT(ReadFile(path_), IsOkAndHolds("{\"a\":1}\n{\"b\":2}\n"));
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(AuditLogTest, CountsWhatAFullDiskDoesNotTake) {
  ASSERT_OK_AND_ASSIGN(const auto log, AuditLog::Open("/dev/full"));
  for (int i = 0; i < 3; ++i) log->Write("line");
  for (int i = 0; i < 500 && log->lost() < 3; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(log->lost(), 3);
}

TEST_F(AuditLogTest, AReaderThatStopsHoldsNobodyUpAndIsCounted) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  // Nobody reads: it does not open, and does not wait.
  EXPECT_THAT(AuditLog::Open(path_).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--audit-log: must be a file that can be "
                                 "written, got ")));
  std::fstream reader(path_, std::ios::in | std::ios::out);
  const absl::Time began = absl::Now();
  {
    ASSERT_OK_AND_ASSIGN(const auto log, AuditLog::Open(path_));
    // More than the pipe and the queue hold.
    for (int i = 0; i < 6000; ++i) log->Write(std::string(100, 'x'));
    EXPECT_GT(log->lost(), 0);
    EXPECT_LT(absl::Now() - began, absl::Seconds(2));
  }
  EXPECT_LT(absl::Now() - began, absl::Seconds(5));
}

TEST_F(AuditLogTest, SaysWhyItCannotBeOpened) {
  EXPECT_THAT(AuditLog::Open("/no/such/folder/audit").status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("No such file or directory")));
}

}  // namespace
}  // namespace alignsae
