#include "model/steering/mode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

TEST(InterventionModeTest, NamesRoundTrip) {
  std::set<absl::string_view> names;
  for (InterventionMode mode : kInterventionModes) {
    const absl::string_view name = InterventionModeName(mode);
    EXPECT_TRUE(names.insert(name).second) << name;
    ASSERT_OK_AND_ASSIGN(const InterventionMode parsed,
                         ParseInterventionMode(name));
    EXPECT_EQ(parsed, mode);
  }
  EXPECT_EQ(InterventionModeNames(),
            "ADD, ADD_NORM_MATCHED, SET, MULTIPLY, ABLATE, SWAP, REPLACE, "
            "PROJECT_OUT");
  EXPECT_THAT(ParseInterventionMode("swap"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "mode: must be one of ADD, ADD_NORM_MATCHED, SET, "
                       "MULTIPLY, ABLATE, SWAP, REPLACE, PROJECT_OUT, got "
                       "\"swap\""));
}

// Which modes have two slots, an alpha, a unit of alpha, and take a vector.
TEST(InterventionModeTest, SaysWhatEachModeTakes) {
  std::string told;
  for (InterventionMode mode : kInterventionModes) {
    absl::StrAppend(&told, InterventionModeName(mode), ":",
                    IsTwoSlotMode(mode) ? "2" : "1", HasAlpha(mode) ? "a" : "",
                    HasAlphaUnit(mode) ? "u" : "", TakesVector(mode) ? "v" : "",
                    " ");
  }
  EXPECT_EQ(told,
            "ADD:1av ADD_NORM_MATCHED:1av SET:1au MULTIPLY:1a ABLATE:1 "
            "SWAP:2au REPLACE:2au PROJECT_OUT:1v ");
  EXPECT_EQ(VectorModeNames(), "ADD, ADD_NORM_MATCHED, PROJECT_OUT");
}

}  // namespace
}  // namespace alignsae
