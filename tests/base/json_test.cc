// JSON that is refused, and what of it the error says.

#include "model/base/json.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::json;

testing::Matcher<const absl::StatusOr<Json>&> RefusedText(
    const std::string& why) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  AllOf(StartsWith("not strict JSON: "), HasSubstr(why)));
}

TEST(JsonTest, GivesTheDocument) {
  ASSERT_OK_AND_ASSIGN(
      const Json json,
      ParseJson(
          " {\"a\": [1, -2, 2.5, true, null], \"b\": {\"a\": \"\\u00e9\"}}\n"));
  const Json expected = {{"a", {1, -2, 2.5, true, nullptr}},
                         {"b", {{"a", "\xc3\xa9"}}}};
  EXPECT_EQ(json, expected);
}

TEST(JsonTest, GivesScalarsAtTheTop) {
  EXPECT_THAT(ParseJson("7"), IsOkAndHolds(Json(7)));
  EXPECT_THAT(ParseJson("\"x\""), IsOkAndHolds(Json("x")));
  EXPECT_THAT(ParseJson("null"), IsOkAndHolds(Json(nullptr)));
}

TEST(JsonTest, KeepsIntegersOf64Bits) {
  EXPECT_THAT(ParseJson("18446744073709551615"),
              IsOkAndHolds(Json(18446744073709551615u)));
  EXPECT_THAT(ParseJson("-9223372036854775808"),
              IsOkAndHolds(Json(std::numeric_limits<int64_t>::min())));
}

TEST(JsonTest, RefusesAKeyThatComesTwiceInOneObject) {
  EXPECT_THAT(ParseJson(R"({"a": 1, "a": 1})"),
              RefusedText("duplicate key \"a\""));
  EXPECT_THAT(ParseJson(R"({"a": 1, "\u0061": 2})"),
              RefusedText("duplicate key \"a\""));
  EXPECT_THAT(ParseJson(R"([{"x": {"": 1, "": 2}}])"),
              RefusedText("duplicate key \"\""));
  EXPECT_OK(ParseJson(R"([{"a": 1}, {"a": {"a": 1}}])"));
}

TEST(JsonTest, RefusesWhatIsNoJson) {
  EXPECT_THAT(ParseJson(""), RefusedText("(byte 1)"));
  EXPECT_THAT(ParseJson("{"), RefusedText("(byte 2)"));
  EXPECT_THAT(ParseJson("{\"a\": 1,}"), RefusedText("(byte 9)"));
  EXPECT_THAT(ParseJson("[1] // why"), RefusedText("(byte 5)"));
  EXPECT_THAT(ParseJson("[NaN]"), RefusedText("(byte 2)"));
  EXPECT_THAT(ParseJson("[01]"), RefusedText("(byte 3)"));
  EXPECT_THAT(ParseJson("{} {}"), RefusedText("(byte 4)"));
  EXPECT_THAT(ParseJson("'a'"), RefusedText("(byte 1)"));
}

TEST(JsonTest, RefusesNumbersThatADoubleCannotHold) {
  EXPECT_THAT(ParseJson("[1e999]"), RefusedText("number overflow"));
}

TEST(JsonTest, RefusesAByteOrderMark) {
  EXPECT_THAT(ParseJson("\xef\xbb\xbf{}"),
              RefusedText("starts with a byte-order mark"));
}

TEST(JsonTest, RefusesANulInsteadOfTakingItForTheEnd) {
  EXPECT_THAT(ParseJson(absl::string_view("{}\0 garbage", 11)),
              RefusedText("NUL byte (byte 3)"));
}

TEST(JsonTest, RefusesStringsThatAreNotUtf8) {
  for (const std::string bytes :
       {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"}) {
    EXPECT_THAT(ParseJson(absl::StrCat("[\"", bytes, "\"]")),
                RefusedText("UTF-8"));
  }
  EXPECT_THAT(ParseJson(R"(["\ud800"])"), RefusedText("surrogate"));
}

TEST(JsonTest, ExplainsInPrintableAscii) {
  const absl::Status status = ParseJson("[\"\xff\n\"]").status();
  for (const char c : status.message()) {
    EXPECT_TRUE(c >= ' ' && c <= '~') << status;
  }
}

TEST(JsonTest, RefusesNestingBeyondTheLimit) {
  const auto nested = [](int depth) {
    return absl::StrCat(std::string(depth, '['), std::string(depth, ']'));
  };
  EXPECT_OK(ParseJson(nested(16)));
  EXPECT_THAT(ParseJson(nested(17)), RefusedText("nesting deeper than 16"));
  EXPECT_OK(ParseJson(nested(2), {.max_depth = 2}));
  EXPECT_THAT(ParseJson("[{\"a\": {}}]", {.max_depth = 2}),
              RefusedText("nesting deeper than 2"));
  // Neither the parser nor the destructor may recurse over hostile input.
  EXPECT_THAT(ParseJson(std::string(100'000, '[')),
              RefusedText("nesting deeper than 16"));
}

TEST(JsonTest, RefusesMoreValuesThanTheLimit) {
  EXPECT_OK(ParseJson("[1, 2, 3]", {.max_values = 4}));
  EXPECT_THAT(ParseJson("[1, 2, 3]", {.max_values = 3}),
              RefusedText("more than 3 values"));
  EXPECT_THAT(ParseJson("[[[]]]", {.max_values = 2}),
              RefusedText("more than 2 values"));
}

TEST(JsonTest, CutsLongKeysInErrors) {
  const std::string key(1000, 'k');
  EXPECT_THAT(ParseJson(absl::StrCat("{\"", key, "\": 1, \"", key, "\": 2}")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("not strict JSON: duplicate key \"",
                                    std::string(64, 'k'), "\"...")));
}

}  // namespace
}  // namespace alignsae
