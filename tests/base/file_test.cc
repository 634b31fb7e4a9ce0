// Whole-file reads, atomic writes and hashes.

#include "model/base/file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/posix_file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ =
        absl::StrCat(::testing::TempDir(), "/file_test_", test->name());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const {
    return absl::StrCat(directory_, "/", name);
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  std::string directory_;
};

TEST_F(FileTest, ReadsWhatWasWritten) {
  const std::string bytes("a\0b\n\xff", 5);
  ASSERT_OK(WriteFileAtomically(Path("f"), bytes));
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds(bytes));
  ASSERT_OK(WriteFileAtomically(Path("f"), ""));
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds(""));
  EXPECT_THAT(Names(), UnorderedElementsAre("f"));
}

TEST_F(FileTest, RefusesAFileOverTheLimitBeforeReadingIt) {
  ASSERT_OK(WriteFileAtomically(Path("f"), "12345"));
  EXPECT_THAT(ReadFile(Path("f"), 5), IsOkAndHolds("12345"));
  EXPECT_THAT(
      ReadFile(Path("f"), 4),
      StatusIs(absl::StatusCode::kResourceExhausted,
               absl::StrCat(Path("f"), ": must be at most 4 bytes, got 5")));
}

TEST_F(FileTest, RefusesWhatIsNoRegularFile) {
  EXPECT_THAT(ReadFile(Path("absent")),
              StatusIs(absl::StatusCode::kNotFound,
                       absl::StrCat(Path("absent"),
                                    ": cannot open: No such file or "
                                    "directory")));
  EXPECT_THAT(
      ReadFile(directory_),
      StatusIs(absl::StatusCode::kInvalidArgument,
               absl::StrCat(directory_,
                            ": must be a regular file, got a directory")));
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(ReadFile(Path("fifo")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must be a regular file")));
  EXPECT_THAT(Sha256OfFile(Path("fifo")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must be a regular file")));
}

TEST_F(FileTest, LeavesTheOldFileWhenAWriteIsGivenUp) {
  ASSERT_OK(WriteFileAtomically(Path("f"), "old"));
  {
    ASSERT_OK_AND_ASSIGN(AtomicFile file, AtomicFile::Create(Path("f")));
    ASSERT_OK(file.Append("half of the n"));
    EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds("old"));
    EXPECT_EQ(Names().size(), 2u);
  }
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds("old"));
  EXPECT_THAT(Names(), UnorderedElementsAre("f"));
}

TEST_F(FileTest, AppearsOnlyWhenCommitted) {
  ASSERT_OK_AND_ASSIGN(AtomicFile created, AtomicFile::Create(Path("f")));
  AtomicFile file = std::move(created);
  ASSERT_OK(file.Append("a"));
  ASSERT_OK(file.Append("b"));
  EXPECT_FALSE(FileExists(Path("f")));
  ASSERT_OK(file.Commit());
  EXPECT_TRUE(FileExists(Path("f")));
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds("ab"));
}

TEST_F(FileTest, LeavesNothingBehindWhenTheTargetCannotBeReplaced) {
  std::filesystem::create_directories(Path("d/inside"));
  EXPECT_THAT(WriteFileAtomically(Path("d"), "x"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat(Path("d"),
                                    ": cannot rename a temporary file to it: "
                                    "Is a directory")));
  EXPECT_THAT(WriteFileAtomically(Path("absent/f"), "x"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("absent/f: cannot create a temporary file")));
  EXPECT_THAT(Names(), UnorderedElementsAre("d"));
}

TEST_F(FileTest, KeepsTheOldFileWhenTheNewOneDoesNotFit) {
  ASSERT_OK(WriteFileAtomically(Path("f"), "old"));
  // A limit on the size of files stands for a full disk.
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {.rlim_cur = 1000, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status =
      WriteFileAtomically(Path("f"), std::string(5000, 'n'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                               absl::StrCat(Path("f"),
                                            ": cannot write: File too large")));
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds("old"));
  EXPECT_THAT(Names(), UnorderedElementsAre("f"));
}

TEST_F(FileTest, KeepsOneWholeFileWhenThreadsWriteIt) {
  constexpr int kThreads = 4, kRounds = 20;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kRounds; ++i) {
        EXPECT_OK(WriteFileAtomically(Path("f"), std::string(50'000, 'a' + t)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(Path("f")));
  EXPECT_EQ(bytes, std::string(50'000, bytes[0]));
  EXPECT_THAT(Names(), UnorderedElementsAre("f"));
}

TEST_F(FileTest, HashesAsTheStandardSays) {
  // FIPS 180-2, appendix B.
  EXPECT_EQ(Sha256Hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string million(1'000'000, 'a');
  const std::string digest =
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  EXPECT_EQ(Sha256Hex(million), digest);
  ASSERT_OK(WriteFileAtomically(Path("f"), million));
  EXPECT_THAT(Sha256OfFile(Path("f")), IsOkAndHolds(digest));
}

TEST(LastPartTest, IsTheNameOfTheDirectory) {
  EXPECT_EQ(LastPart("sae/main"), "main");
  EXPECT_EQ(LastPart("sae/main/"), "main");
  EXPECT_EQ(LastPart("sae/other/../main"), "main");
  EXPECT_EQ(LastPart("."), std::filesystem::current_path().filename());
}

TEST(ParentDirectoryTest, IsWhatHoldsThePath) {
  EXPECT_EQ(ParentDirectory("a/b/c"), "a/b");
  EXPECT_EQ(ParentDirectory("a/b/c//"), "a/b");
  EXPECT_EQ(ParentDirectory("c"), ".");
  EXPECT_EQ(ParentDirectory("/c"), "/");
  EXPECT_EQ(ParentDirectory("/"), "/");
}

TEST(PosixErrorTest, TellsTheCallersMistakesFromTheSystems) {
  const std::vector<std::pair<int, absl::StatusCode>> codes = {
      {ENOENT, absl::StatusCode::kNotFound},
      {EACCES, absl::StatusCode::kPermissionDenied},
      {EROFS, absl::StatusCode::kPermissionDenied},
      {ELOOP, absl::StatusCode::kInvalidArgument},
      {EMFILE, absl::StatusCode::kResourceExhausted},
      {EIO, absl::StatusCode::kDataLoss}};
  for (const auto& [error, code] : codes) {
    EXPECT_EQ(PosixError("f", "read", error).code(), code) << error;
  }
}

TEST(AtomicFileTest, WhatIsNoRegularFileIsNotReplaced) {
  EXPECT_THAT(
      WriteFileAtomically("/dev/full", "x"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               testing::HasSubstr("/dev/full: must be a regular file")));
  const std::string directory = ::testing::TempDir() + "file_test_directory";
  ASSERT_TRUE(mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST);
  EXPECT_THAT(WriteFileAtomically(directory, "x"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace alignsae
