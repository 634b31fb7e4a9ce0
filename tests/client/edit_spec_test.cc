#include "client/cli/edit_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(EditSpecTest, ReadsAllPartsOfASwap) {
  const auto edit = ParseEditSpec("swap:birth_city>employer@1.5");
  ASSERT_TRUE(edit.ok()) << edit.status();
  EXPECT_EQ(edit->mode(), v1::INTERVENTION_MODE_SWAP);
  EXPECT_EQ(edit->source().name(), "birth_city");
  EXPECT_EQ(edit->target().name(), "employer");
  EXPECT_DOUBLE_EQ(edit->alpha(), 1.5);
  EXPECT_EQ(edit->unit(), v1::ALPHA_UNIT_UNSPECIFIED);
}

TEST(EditSpecTest, LeavesOutWhatIsNotSaid) {
  const auto edit = ParseEditSpec("add_norm_matched:major");
  ASSERT_TRUE(edit.ok()) << edit.status();
  EXPECT_EQ(edit->mode(), v1::INTERVENTION_MODE_ADD_NORM_MATCHED);
  EXPECT_FALSE(edit->has_alpha());
  EXPECT_FALSE(edit->has_source());
}

TEST(EditSpecTest, ReadsSlotsAndRawAlpha) {
  const auto edit = ParseEditSpec("set:#12@-3raw");
  ASSERT_TRUE(edit.ok()) << edit.status();
  EXPECT_EQ(edit->target().slot(), 12);
  EXPECT_DOUBLE_EQ(edit->alpha(), -3);
  EXPECT_EQ(edit->unit(), v1::ALPHA_UNIT_RAW);
}

TEST(EditSpecTest, SaysWhatIsWrong) {
  const struct {
    const char* spec;
    const char* words;
  } kCases[] = {
      {"", "MODE:[SOURCE>]TARGET"},
      {"employer", "MODE:[SOURCE>]TARGET"},
      {"push:employer", "add, add_norm_matched"},
      {"unspecified:employer", "add, add_norm_matched"},
      {"add:", "MODE:[SOURCE>]TARGET"},
      {"add:@2", "MODE:[SOURCE>]TARGET"},
      {"add:employer@", "finite number"},
      {"add:employer@nan", "finite number"},
      {"add:employer@1e999", "finite number"},
      {"add:employer@two", "finite number"},
      {"swap:>employer", "a concept before >"},
      {"swap:birth_city>", "MODE:[SOURCE>]TARGET"},
  };
  for (const auto& test : kCases) {
    const auto edit = ParseEditSpec(test.spec);
    EXPECT_EQ(edit.status().code(), absl::StatusCode::kInvalidArgument)
        << test.spec;
    EXPECT_THAT(std::string(edit.status().message()), HasSubstr(test.words));
    EXPECT_THAT(std::string(edit.status().message()), HasSubstr(test.spec));
  }
}

TEST(EditSpecTest, ReadsPositions) {
  EXPECT_EQ(ParsePositions("last")->prompt(), v1::PROMPT_SELECTION_LAST);
  EXPECT_EQ(ParsePositions("all")->prompt(), v1::PROMPT_SELECTION_ALL);
  EXPECT_EQ(ParsePositions("none")->prompt(), v1::PROMPT_SELECTION_NONE);
  EXPECT_THAT(ParsePositions("list:0,3,-1")->positions(),
              ElementsAre(0, 3, -1));
  EXPECT_EQ(ParsePositions("text:Ann Lee")->text(), "Ann Lee");
  EXPECT_EQ(ParsePositions("text:Ann Lee")->prompt(),
            v1::PROMPT_SELECTION_TEXT);
  const auto window = ParsePositions("window:-5:");
  EXPECT_EQ(window->window().start(), -5);
  EXPECT_FALSE(window->window().has_stop());
}

TEST(EditSpecTest, RefusesOtherPositions) {
  for (const char* spec : {"", "first", "list:", "list:1,,2", "list:x",
                           "window:3", "window:a:b", "window:1:2:3", "text:"}) {
    const auto positions = ParsePositions(spec);
    EXPECT_EQ(positions.status().code(), absl::StatusCode::kInvalidArgument)
        << spec;
    EXPECT_THAT(std::string(positions.status().message()),
                HasSubstr("--positions: must be"));
  }
}

TEST(ConditionSpecTest, IsAConceptThatIsBoundOrNotOrAbove) {
  auto condition = ParseConditionSpec("major");
  ASSERT_TRUE(condition.has_value());
  EXPECT_EQ(condition->slot().name(), "major");
  EXPECT_TRUE(condition->bound());
  EXPECT_FALSE(condition->has_above());
  condition = ParseConditionSpec("!#4");
  ASSERT_TRUE(condition.has_value());
  EXPECT_EQ(condition->slot().slot(), 4);
  EXPECT_TRUE(condition->has_bound());
  EXPECT_FALSE(condition->bound());
  condition = ParseConditionSpec("a b>-2.5");
  ASSERT_TRUE(condition.has_value());
  EXPECT_EQ(condition->slot().name(), "a b");
  EXPECT_FALSE(condition->has_bound());
  EXPECT_EQ(condition->above(), -2.5);
  for (const char* bad : {"", "!", ">2", "a>", "a>b", "a>inf"}) {
    EXPECT_FALSE(ParseConditionSpec(bad).has_value()) << bad;
  }
}

TEST(EditJsonTest, IsTheMessageItselfOrAFileWithIt) {
  const std::string json =
      R"({"mode": "INTERVENTION_MODE_ADD", "alpha": 2, "vector": {"values":
      [1, -0.5], "hook": {"kind": "HOOK_KIND_MLP_OUT", "layer": 3}}})";
  const std::string path = ::testing::TempDir() + "edit.json";
  std::ofstream(path) << json;
  for (const std::string& text : {json, "@" + path}) {
    const auto edit = ParseEditJson(text);
    ASSERT_TRUE(edit.ok()) << edit.status();
    EXPECT_EQ(edit->alpha(), 2);
    EXPECT_THAT(edit->vector().values(), ElementsAre(1, -0.5));
    EXPECT_EQ(edit->vector().hook().kind(), v1::HOOK_KIND_MLP_OUT);
    EXPECT_EQ(edit->vector().hook().layer(), 3);
  }
}

TEST(EditJsonTest, SaysWhatIsWrong) {
  for (const auto& [text, sentence] :
       {std::pair<std::string, std::string>{"{", "--edit-json: must be an"},
        {R"({"mood": 1})", "mood"},
        {"@/nowhere/edit.json", "/nowhere/edit.json"}}) {
    const absl::Status status = ParseEditJson(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(sentence));
  }
}

}  // namespace
}  // namespace alignsae
