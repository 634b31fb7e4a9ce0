// One second of slots, for people.

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "client/cli/render.h"

namespace alignsae {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::WatchSlotsResponse Activity(const std::string& steered) {
  v1::WatchSlotsResponse answer;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "info { checkpoint: 'main' } seconds: 1.02 "
      "recent { prompts: 4 unbound: 1 concepts { name: 'city' count: 4 "
      "mean_ratio: 0.755 top_count: 3 top_share: 0.75 steered_from: 2 } "
      "concepts { name: 'job' count: 4 steered_to: 2 } " +
          steered +
          "} total { prompts: 90 concepts { name: 'city' top_count: 60 } "
          "concepts { name: 'job' top_count: 20 } }",
      &answer));
  return answer;
}

TEST(RenderActivityTest, ASecondIsASentenceAndATable) {
  const std::string text = RenderActivity(Activity(""));
  EXPECT_THAT(text, StartsWith("main: 4 prompts in 1.0 s, none bound on 1; 90 "
                               "since the start\n"));
  EXPECT_THAT(text, HasSubstr("\ncity       3   0.75  "));
  EXPECT_THAT(text, EndsWith(" 0.00     0   2     20\n"));
  EXPECT_THAT(text, Not(HasSubstr("steered ")));
}

TEST(RenderActivityTest, SwapsAreTold) {
  EXPECT_THAT(
      RenderActivity(
          Activity("steered { source: 'city' target: 'job' count: 2 } "
                   "steered { source: 'none' target: 'evil\\n' count: 1 } ")),
      EndsWith("steered city -> job, 2 times\nsteered none -> evil\\n, 1 "
               "time\n"));
}

}  // namespace
}  // namespace alignsae
