#include "model/train/eval/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EvalOptionsTest, TheDefaultGridIsTheProtocols) {
  const EvalOptions options;
  EXPECT_OK(CheckFields(options));
  EXPECT_THAT(ParseAlphas(options.alphas),
              IsOkAndHolds(ElementsAre(0.1, 0.5, 1, 1.5, 2, 3, 5, 10, 50)));
  EXPECT_THAT(ParseModes(options.modes),
              IsOkAndHolds(ElementsAre(
                  InterventionMode::kSwap, InterventionMode::kSet,
                  InterventionMode::kAdd, InterventionMode::kAddNormMatched,
                  InterventionMode::kReplace)));
}

TEST(EvalOptionsTest, BadListsAreRefusedByName) {
  for (const char* text : {"", "1,,2", "1,two", "nan", "inf"}) {
    EXPECT_THAT(ParseAlphas(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("alphas: must be finite numbers, got")))
        << text;
  }
  EXPECT_THAT(ParseAlphas("1, 1"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("alphas: must name each once")));
  EXPECT_THAT(ParseModes("SWAP,ABLATE"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("modes: must steer to a concept, got "
                                 "ABLATE")));
  EXPECT_THAT(ParseModes("SWOP"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("SWOP")));
}

}  // namespace
}  // namespace alignsae
