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

// A large file is read once, and again when its stamp is another.
TEST_F(HashedFileTest, NotesTheHashOfALargeFile) {
  const std::string notes = path_ + "_notes";
  std::filesystem::remove_all(notes);
  std::filesystem::create_directory(notes);
  const std::string large(size_t{16} << 20, 'a');
  ASSERT_OK(WriteFileAtomically(path_, large));
  const auto hash = [&](absl::Time now = absl::Now() + absl::Minutes(1)) {
    return HashedFile::Of(path_, notes, now).value().sha256();
  };
  const auto note = [&]() -> std::string {
    for (const auto& file : std::filesystem::directory_iterator(notes)) {
      return file.path();
    }
    return "";
  };
  const std::string expected = Sha256Hex(large);
  // Too new: it could be written to again with the same times.
  EXPECT_EQ(hash(absl::Now()), expected);
  EXPECT_EQ(note(), "");
  EXPECT_EQ(hash(), expected);
  ASSERT_OK_AND_ASSIGN(const std::string written, ReadFile(note()));
  // The note is believed, which is seen by one that lies.
  const std::string lie(expected.rbegin(), expected.rend());
  std::string lying = written;
  ASSERT_OK(WriteFileAtomically(
      note(), lying.replace(written.find(expected), lie.size(), lie)));
  EXPECT_EQ(hash(), lie);
  // Not one that cannot be read.
  for (const char* spoilt : {"", "[]", "{\"stamp\": 1, \"sha256\": 2}"}) {
    ASSERT_OK(WriteFileAtomically(note(), spoilt));
    EXPECT_EQ(hash(), expected);
  }
  // Nor that of the file before it, of the same size.
  std::string other = large;
  other[5] = 'b';
  ASSERT_OK(WriteFileAtomically(path_, other));
  EXPECT_EQ(hash(), Sha256Hex(other));
  std::filesystem::remove_all(notes);
}

TEST_F(HashedFileTest, NoticesThatTheFileIsGone) {
  ASSERT_OK_AND_ASSIGN(const HashedFile file, HashedFile::Of(path_));
  std::filesystem::remove(path_);
  EXPECT_THAT(file.CheckUnchanged(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(HashedFile::Of(path_), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace alignsae
