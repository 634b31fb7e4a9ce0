// model/train/report: the study that is committed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/base/file.h"
#include "model/train/study/report.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const char kReports[] = ALIGNSAE_SOURCE_DIR "/model/train/report";

std::vector<fs::path> Plans() {
  std::vector<fs::path> plans;
  for (const auto& entry : fs::directory_iterator(kReports)) {
    if (entry.is_directory()) plans.push_back(entry.path());
  }
  return plans;
}

std::string Text(const fs::path& path) {
  return ReadFile(path.string()).value_or("");
}

TEST(CommittedReportTest, TablesAreThoseOfTheFigures) {
  ASSERT_THAT(Plans(), Not(IsEmpty()));
  const std::string index = Text(fs::path(kReports) / "README.md");
  for (const fs::path& plan : Plans()) {
    SCOPED_TRACE(plan.filename());
    const auto summary =
        nlohmann::ordered_json::parse(Text(plan / "study.json"));
    EXPECT_EQ(summary["plan"], plan.filename().string());
    EXPECT_EQ(summary["missing"], 0);
    const std::string report = Text(plan / "report.md");
    EXPECT_THAT(report, StartsWith(RenderStudy(summary)));
    EXPECT_THAT(report, Not(HasSubstr("No plots are drawn")));
    // The summary leads there.
    EXPECT_THAT(index, HasSubstr(plan.filename().string() + "/report.md"));
  }
}

TEST(CommittedReportTest, IsSmall) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kReports)) {
    if (entry.is_regular_file()) {
      bytes += static_cast<int64_t>(entry.file_size());
    }
  }
  EXPECT_LE(bytes, 2 << 20);
}

}  // namespace
}  // namespace alignsae
