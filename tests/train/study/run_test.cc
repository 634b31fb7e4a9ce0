// Processes that fill one directory; what a cell is comes in tiny_hops_test.cc
// and its neighbours.

#include "model/train/study/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "model/base/directory_lock.h"
#include "model/base/file.h"
#include "model/train/study/cells.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

class StudyRunTest : public ::testing::Test {
 protected:
  StudyRunTest() : directory_("study_run") {
    run_.directory = directory_.path();
    for (const StudyCell& cell : plan_.cells) {
      std::filesystem::create_directories(PlaceOf(cell));
    }
  }
  std::string PlaceOf(const StudyCell& cell) const {
    return directory_.File("locks/" + cell.id);
  }
  // As another process that is done with it.
  void Write(const StudyCell& cell) {
    std::filesystem::create_directories(directory_.File("cells"));
    ASSERT_OK(WriteFileAtomically(CellPath(directory_.path(), cell.id),
                                  R"({"refused": "by another process"})"));
  }

  TemporaryDirectory directory_;
  const StudyPlan plan_ = *ParseStudyPlan(
      "plan",
      nlohmann::ordered_json::parse(
          R"({"name": "p", "axes": {"perp": [0, 1]}})"),
      {.sae = {}, .eval = {}, .layers = 3, .seeds = 1, .subject = "s"});
  StudyRun run_;  // Without a model: a cell that is begun fails.
};

TEST_F(StudyRunTest, CellsOfOthersAreLeftToThemAndWaitedFor) {
  ASSERT_EQ(plan_.cells.size(), 2u);
  DirectoryLock first, second;
  ASSERT_OK(first.Take(PlaceOf(plan_.cells[0])));
  ASSERT_OK(second.Take(PlaceOf(plan_.cells[1])));
  int asked = 0;
  run_.should_stop = [&] {  // Asked between two looks.
    ++asked;
    if (asked == 1) Write(plan_.cells[1]);
    return asked == 2;
  };
  EXPECT_THAT(RunStudy(plan_, run_), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(asked, 2);
  EXPECT_THAT(ReadCell(directory_.path(), plan_.cells[0].id),
              StatusIs(absl::StatusCode::kNotFound));
  // What others have measured is not measured again.
  Write(plan_.cells[0]);
  EXPECT_OK(RunStudy(plan_, run_));
}

}  // namespace
}  // namespace alignsae
