#include "model/base/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;

class DirectoryLockTest : public ::testing::Test {
 protected:
  DirectoryLockTest() {
    fs::remove_all(folder_);
    fs::create_directories(place_);
  }
  ~DirectoryLockTest() override { fs::remove_all(folder_); }

  const std::string folder_ =
      absl::StrCat(::testing::TempDir(), "/directory_lock.", getpid());
  const std::string place_ = folder_ + "/place";
};

TEST_F(DirectoryLockTest, OneHasItAtATime) {
  std::optional<DirectoryLock> first(std::in_place);
  DirectoryLock second;
  ASSERT_OK(first->Take(place_));
  ASSERT_OK(first->Take(place_));  // It has it already.
  EXPECT_THAT(second.Take(place_),
              StatusIs(absl::StatusCode::kAborted,
                       place_ + ": is being written by another process"));
  first.reset();
  EXPECT_OK(second.Take(place_));
}

TEST_F(DirectoryLockTest, WhatIsNotThereCannotBeTaken) {
  DirectoryLock lock;
  EXPECT_THAT(lock.Take(place_ + "/none"),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(lock.TakeIfThere(place_ + "/none"));
  EXPECT_FALSE(fs::exists(place_ + "/none"));
  // That took nothing: it may have the next one.
  EXPECT_OK(lock.TakeIfThere(place_));
  DirectoryLock other;
  EXPECT_THAT(other.TakeIfThere(place_), StatusIs(absl::StatusCode::kAborted));
}

TEST_F(DirectoryLockTest, LinksAreFollowedUnlessRefused) {
  const std::string link = folder_ + "/link";
  fs::create_directory_symlink(place_, link);
  DirectoryLock refused;
  EXPECT_FALSE(refused.Take(link, DirectoryLock::Links::kRefused).ok());
  DirectoryLock followed;
  EXPECT_OK(followed.Take(link));
  DirectoryLock other;
  EXPECT_THAT(other.Take(place_), StatusIs(absl::StatusCode::kAborted));
}

}  // namespace
}  // namespace alignsae
