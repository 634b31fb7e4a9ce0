#include "model/base/hashed_file.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

class HashedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = absl::StrCat(::testing::TempDir(), "/hashed_file_", test->name());
    ASSERT_OK(WriteFileAtomically(path_, "abc"));
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void ExpectChanged(const HashedFile& file) {
    EXPECT_THAT(
        file.CheckUnchanged(),
        StatusIs(absl::StatusCode::kDataLoss,
                 absl::StrCat(path_, ": must not change while it is loaded")));
  }

  std::string path_;
};

TEST_F(HashedFileTest, HashesAndStaysContentWhileNobodyWrites) {
  ASSERT_OK_AND_ASSIGN(const HashedFile file, HashedFile::Of(path_));
  EXPECT_EQ(file.path(), path_);
  EXPECT_EQ(file.sha256(), Sha256Hex("abc"));
  EXPECT_OK(ReadFile(path_));
  EXPECT_OK(file.CheckUnchanged());
}

TEST_F(HashedFileTest, NoticesAnotherFileOfTheSameBytesInItsPlace) {
  ASSERT_OK_AND_ASSIGN(const HashedFile file, HashedFile::Of(path_));
  ASSERT_OK(WriteFileAtomically(path_, "abc"));
  ExpectChanged(file);
}

TEST_F(HashedFileTest, NoticesBytesThatWereAppended) {
  ASSERT_OK_AND_ASSIGN(const HashedFile file, HashedFile::Of(path_));
  std::ofstream(path_, std::ios::app) << "d";
  ExpectChanged(file);
}

TEST_F(HashedFileTest, NoticesThatTheFileIsGone) {
  ASSERT_OK_AND_ASSIGN(const HashedFile file, HashedFile::Of(path_));
  std::filesystem::remove(path_);
  EXPECT_THAT(file.CheckUnchanged(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(HashedFile::Of(path_), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace alignsae
