#include "model/train/data/negatives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr char kFile[] =
    ALIGNSAE_SOURCE_DIR "/model/train/data/negatives.jsonl";

std::string Line(const std::string& split, const std::string& pattern) {
  return absl::StrCat("{\"kind\": \"k\", \"split\": \"", split,
                      "\", \"pattern\": \"", pattern, "\"}\n");
}

TEST(NegativesTest, TheShippedOnesAreEnoughAndOfTenKinds) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Negative> negatives,
                       ReadNegatives(kFile));
  EXPECT_GE(negatives.size(), 300u);
  std::map<std::string, std::map<Split, int>> counts;
  for (const Negative& negative : negatives) {
    ++counts[negative.kind][negative.split];
  }
  EXPECT_EQ(counts.size(), 10u);
  for (const auto& [kind, by_split] : counts) {
    EXPECT_EQ(by_split.at(Split::kTest), 16) << kind;
    EXPECT_EQ(by_split.at(Split::kValidation), 32) << kind;
  }
}

TEST(NegativesTest, ALineIsRefusedWithItsPlace) {
  const std::string good = Line("validation", "a") + Line("test", "b");
  EXPECT_OK(ParseNegatives(good, "n.jsonl"));
  const auto refused = [&](const std::string& text, const std::string& what) {
    EXPECT_THAT(ParseNegatives(text, "n.jsonl").status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what)));
  };
  refused(good + Line("train", "c"),
          "n.jsonl:3: split: must be validation or test, got \"train\"");
  refused(good + Line("test", "a"),
          "n.jsonl:3: pattern: must be there once, got \"a\" again");
  refused(good + Line("test", ""), "pattern: must be not empty");
  refused(Line("test", "a"), "n.jsonl: split: must be validation on some line");
  refused(good + "{\"kind\": \"k\", \"split\": \"test\"}\n", "pattern");
}

}  // namespace
}  // namespace alignsae
