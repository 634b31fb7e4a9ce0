#include "model/base/json_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

TEST(ForEachJsonLineTest, GivesEachLineItsPlaceAndSkipsBlankOnes) {
  std::vector<std::string> seen;
  EXPECT_OK(
      ForEachJsonLine("1\n \t\n[2]\r\n\n", "f:", [&](const JsonLine& line) {
        seen.push_back(line.place + " " + line.value.dump());
        EXPECT_EQ(line.place, "f:" + std::to_string(line.number));
        return absl::OkStatus();
      }));
  EXPECT_THAT(seen, ElementsAre("f:1 1", "f:3 [2]"));
}

TEST(ForEachJsonLineTest, EndsAtTheFirstErrorAndNamesItsLine) {
  int read = 0;
  const auto count = [&](const JsonLine&) {
    ++read;
    return absl::OkStatus();
  };
  EXPECT_THAT(
      ForEachJsonLine("1\n{\n3", "f line ", count),
      StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("f line 2: ")));
  EXPECT_EQ(read, 1);
  EXPECT_THAT(ForEachJsonLine("1\n2", "f:",
                              [](const JsonLine& line) {
                                return absl::NotFoundError(line.place);
                              }),
              StatusIs(absl::StatusCode::kNotFound, "f:1"));
}

}  // namespace
}  // namespace alignsae
