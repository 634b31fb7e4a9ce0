#include "model/base/json_object.h"

#include <limits>
#include <string>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

testing::Matcher<const absl::Status&> Refused(const std::string& error) {
  return StatusIs(absl::StatusCode::kInvalidArgument, error);
}

class JsonObjectTest : public ::testing::Test {
 protected:
  const Json json_ = {{"text", "t"},
                      {"number", 2.5},
                      {"whole", 7},
                      {"huge", 18446744073709551615u},
                      {"negative", -3},
                      {"infinite", std::numeric_limits<double>::infinity()},
                      {"list", {{{"a", 1}}, {{"a", "x"}}}},
                      {"mixed", {Json::object(), 1}}};
  const JsonObject root_ = JsonObject::Of(json_, "f.json").value();
};

TEST_F(JsonObjectTest, GivesValuesOfTheirType) {
  EXPECT_THAT(root_.String("text"), IsOkAndHolds("t"));
  EXPECT_THAT(root_.FiniteNumber("number"), IsOkAndHolds(2.5));
  EXPECT_THAT(root_.FiniteNumber("whole"), IsOkAndHolds(7.0));
  EXPECT_THAT(root_.Integer("whole", 7, 7), IsOkAndHolds(7));
  EXPECT_THAT(root_.Integer("negative", -3, 0), IsOkAndHolds(-3));
  EXPECT_THAT(root_.Unsigned("huge"), IsOkAndHolds(18446744073709551615u));
}

TEST_F(JsonObjectTest, RefusesValuesOfAnotherType) {
  EXPECT_THAT(root_.String("whole").status(),
              Refused("f.json: whole: must be a string, got 7"));
  EXPECT_THAT(root_.String("none").status(),
              Refused("f.json: none: must be a string, got nothing"));
  EXPECT_THAT(root_.FiniteNumber("text").status(),
              Refused("f.json: text: must be a finite number, got \"t\""));
  EXPECT_THAT(root_.FiniteNumber("infinite").status(),
              Refused("f.json: infinite: must be a finite number, got null"));
  EXPECT_THAT(root_.Integer("number", 0, 9).status(),
              Refused("f.json: number: must be an integer in [0, 9], got 2.5"));
  EXPECT_THAT(root_.Integer("huge", -9, 9).status(),
              Refused("f.json: huge: must be an integer in [-9, 9], got "
                      "18446744073709551615"));
  EXPECT_THAT(root_.Integer("whole", 8, 9).status(),
              Refused("f.json: whole: must be an integer in [8, 9], got 7"));
  EXPECT_THAT(root_.Unsigned("negative").status(),
              Refused("f.json: negative: must be an integer in [0, 2^64 - 1], "
                      "got -3"));
  EXPECT_THAT(root_.Object("list").status(),
              Refused("f.json: list: must be an object, got an array"));
  EXPECT_THAT(root_.Objects("text").status(),
              Refused("f.json: text: must be an array of objects, got \"t\""));
  EXPECT_THAT(root_.Objects("mixed").status(),
              Refused("f.json: mixed[1]: must be an object, got 1"));
  EXPECT_THAT(JsonObject::Of(Json(3), "f.json").status(),
              Refused("f.json: must be a JSON object, got 3"));
}

TEST_F(JsonObjectTest, NamesThePlaceOfNestedKeys) {
  ASSERT_OK_AND_ASSIGN(const auto list, root_.Objects("list"));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_THAT(list[0].Integer("a", 0, 9), IsOkAndHolds(1));
  EXPECT_THAT(
      list[1].Integer("a", 0, 9).status(),
      Refused("f.json: list[1].a: must be an integer in [0, 9], got \"x\""));
  EXPECT_THAT(list[1].Refuse("a.b", "good", "bad"),
              Refused("f.json: list[1].a.b: must be good, got bad"));
}

TEST_F(JsonObjectTest, RefusesKeysThatTheSchemaLacks) {
  ASSERT_OK_AND_ASSIGN(const auto list, root_.Objects("list"));
  EXPECT_OK(list[0].OnlyKeys({"b", "a"}));
  EXPECT_THAT(list[0].OnlyKeys({"b"}),
              Refused("f.json: list[0].\"a\": must not be there; it is not a "
                      "key of this version's schema"));
}

TEST(ShowJsonTest, IsShortAndPrintable) {
  const Json text = std::string(100, 'x');
  EXPECT_EQ(ShowJson(&text), "\"" + std::string(63, 'x') + "...");
  const Json strange = "\xff\n\xc3\xa9";
  EXPECT_EQ(ShowJson(&strange), "\"\\ufffd\\n\\u00e9\"");
  const Json object = {{"a", 1}};
  EXPECT_EQ(ShowJson(&object), "an object");
  EXPECT_EQ(ShowJson(nullptr), "nothing");
}

}  // namespace
}  // namespace alignsae
