#include "server/registry/bundle_shelf.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_payload.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class BundleShelfTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::path(::testing::TempDir()) /
            absl::StrCat("bundle_shelf_", test->name());
    fs::remove_all(root_);
    fs::create_directories(root_ / "shelf" / "demo");
    fs::create_directories(root_ / "outside");
    root_ = fs::canonical(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  BundleShelf Shelf() const { return BundleShelf((root_ / "shelf").string()); }

  fs::path root_;
};

TEST_F(BundleShelfTest, FindsWhatLiesOnItAndWhatLinksToThat) {
  EXPECT_THAT(Shelf().Find("demo"),
              IsOkAndHolds((root_ / "shelf/demo").string()));
  fs::create_directories(root_ / "shelf/.versions/7");
  fs::create_symlink(".versions/7", root_ / "shelf/current");
  EXPECT_THAT(Shelf().Find("current"),
              IsOkAndHolds((root_ / "shelf/.versions/7").string()));
}

TEST_F(BundleShelfTest, TakesNamesAndNoPaths) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("/"),
        std::string("../outside"), std::string("demo/.."), std::string("a b"),
        std::string(".versions"), std::string("demo.partial-bundle"),
        std::string(129, 'x'), std::string("d\0mo", 4)}) {
    const absl::Status status = Shelf().Find(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(FieldErrorOf(status)->path, "bundle");
  }
}

TEST_F(BundleShelfTest, HasNothingThatLiesElsewhere) {
  fs::create_symlink("../outside", root_ / "shelf/leads-out");
  fs::create_symlink("..", root_ / "shelf/up");
  fs::create_symlink(".", root_ / "shelf/itself");
  fs::create_directories(root_ / "shelf-too");
  fs::create_symlink("../shelf-too", root_ / "shelf/neighbour");
  std::ofstream(root_ / "shelf/file") << "x";
  for (const char* name :
       {"none", "leads-out", "up", "itself", "neighbour", "file"}) {
    const absl::Status status = Shelf().Find(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--bundles-dir"));
    EXPECT_EQ(std::string(status.message()).find(root_.string()),
              std::string::npos);
  }
  EXPECT_EQ(BundleShelf("").Find("demo").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(BundleShelfTest, AStampChangesWithTheVersion) {
  const std::string demo = (root_ / "shelf/demo").string();
  EXPECT_EQ(VersionStamp(demo), "");
  std::ofstream(demo + "/bundle.json") << "{}";
  const std::string first = VersionStamp(demo);
  EXPECT_NE(first, "");
  EXPECT_EQ(VersionStamp(demo), first);
  // The same bytes in another file, put in its place.
  fs::create_directories(root_ / "next");
  std::ofstream(root_ / "next/bundle.json") << "{}";
  fs::rename(demo, root_ / "old");
  fs::rename(root_ / "next", demo);
  EXPECT_NE(VersionStamp(demo), first);
}

TEST(ToldTest, PutsNamesInThePlaceOfPathsAndKeepsWhatElseAStatusSays) {
  EXPECT_OK(Told(absl::OkStatus(), {}));
  const absl::Status told = Told(
      WithReason(absl::DataLossError("/b/demo-1/gpt2/config.json: /b/demo"),
                 kReasonLimit),
      {{"/b/demo", "demo"}, {"/b/demo-1", "one"}});
  EXPECT_THAT(told, StatusIs(absl::StatusCode::kDataLoss,
                             "one/gpt2/config.json: demo"));
  EXPECT_EQ(ReasonOf(told), kReasonLimit);
}

}  // namespace
}  // namespace alignsae
