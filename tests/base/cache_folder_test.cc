#include "model/base/cache_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CacheFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = absl::StrCat(::testing::TempDir(), "/cache_folder_", test->name());
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string root_;
};

TEST_F(CacheFolderTest, IsMadeForThisUserAlone) {
  for (int time = 0; time < 2; ++time) {
    ASSERT_OK_AND_ASSIGN(const std::string folder,
                         OpenCacheFolder(root_ + "/a/b", "c"));
    EXPECT_EQ(folder, root_ + "/a/b/c");
    EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  }
}

TEST_F(CacheFolderTest, WhatOthersMayWriteToIsRefused) {
  ASSERT_OK_AND_ASSIGN(const std::string folder, OpenCacheFolder(root_, "c"));
  for (const mode_t mode : {0720, 0702, 0777}) {
    ASSERT_EQ(chmod(folder.c_str(), mode), 0);
    EXPECT_THAT(OpenCacheFolder(root_, "c"),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("nobody else may write to")));
  }
  ASSERT_OK(WriteFileAtomically(root_ + "/file", ""));
  EXPECT_THAT(OpenCacheFolder(root_, "file"),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(CacheFolderTest, TheFilesThatWereLastOfUseStay) {
  ASSERT_OK_AND_ASSIGN(const std::string folder, OpenCacheFolder(root_, "c"));
  const auto now = fs::file_time_type::clock::now();
  const std::vector<std::pair<std::string, int>> files = {
      {"old", 9},   {"older", 10},    {"new", 1},
      {"used", 20}, {"x.tmp.1.0", 2}, {"y.tmp.1.0", 0}};
  for (const auto& [name, hours] : files) {
    ASSERT_OK(WriteFileAtomically(absl::StrCat(folder, "/", name), ""));
    fs::last_write_time(absl::StrCat(folder, "/", name),
                        now - std::chrono::hours(hours));
  }
  TouchFile(folder + "/used");
  KeepNewest(folder, 2);
  std::set<std::string> left;
  for (const auto& file : fs::directory_iterator(folder)) {
    left.insert(file.path().filename());
  }
  EXPECT_THAT(left, ElementsAre("new", "used", "y.tmp.1.0"));
}

}  // namespace
}  // namespace alignsae
