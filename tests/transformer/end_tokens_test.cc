// End tokens as configuration files name them.

#include "model/transformer/end_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Json = nlohmann::json;

TEST(EndTokensTest, TakesAnIdAListOrNothing) {
  ASSERT_OK_AND_ASSIGN(const EndTokens one, ParseEndTokens(7, "k", 8));
  EXPECT_THAT(one.ids, ElementsAre(7));
  ASSERT_OK_AND_ASSIGN(const EndTokens list,
                       ParseEndTokens({5, 0, 5, 7}, "k", 8));
  EXPECT_THAT(list.ids, ElementsAre(5, 0, 7));
  EXPECT_THAT(list.unreachable, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const EndTokens none, ParseEndTokens(nullptr, "k", 8));
  EXPECT_EQ(none, EndTokens());
}

TEST(EndTokensTest, KeepsIdsOutsideOfTheVocabularyApart) {
  ASSERT_OK_AND_ASSIGN(const EndTokens tokens,
                       ParseEndTokens({8, 7, 2147483647, 8}, "k", 8));
  EXPECT_THAT(tokens.ids, ElementsAre(7));
  EXPECT_THAT(tokens.unreachable, ElementsAre(8, 2147483647));
  EXPECT_THAT(
      UnreachableWarnings(tokens, "config.json: eos_token_id", 8),
      ElementsAre("config.json: eos_token_id: 8 lies outside of the vocabulary "
                  "of 8 tokens: it can never be generated and ends no answer",
                  "config.json: eos_token_id: 2147483647 lies outside of the "
                  "vocabulary of 8 tokens: it can never be generated and ends "
                  "no answer"));
  EXPECT_THAT(UnreachableWarnings(EndTokens::Only(7), "k", 8), IsEmpty());
}

TEST(EndTokensTest, RefusesWhatIsNoId) {
  for (const char* text : {"-1", "1.5", "1.0", "\"7\"", "true", "{}", "[]",
                           "[7, -1]", "[[7]]", "[null]", "2147483648",
                           "18446744073709551615", "-9223372036854775808"}) {
    const Json value = Json::parse(text);
    EXPECT_THAT(
        ParseEndTokens(value, "config.json: eos_token_id", 8),
        StatusIs(
            absl::StatusCode::kInvalidArgument,
            absl::StrCat("config.json: eos_token_id: must be a token id "
                         "(an integer in [0, 2147483647]) or a list of "
                         "them, got ",
                         value.is_array() && !value.empty() ? "an array"
                                                            : value.dump())));
  }
}

TEST(EndTokensTest, IsWrittenAsItIsRead) {
  for (const char* text : {"null", "7", "[5,0]"}) {
    ASSERT_OK_AND_ASSIGN(const EndTokens tokens,
                         ParseEndTokens(Json::parse(text), "k", 8));
    EXPECT_EQ(EndTokensToJson(tokens).dump(), text);
  }
}

TEST(EndTokensTest, OnlyTakesNoNegativeId) {
  EXPECT_THAT(EndTokens::Only(0).ids, ElementsAre(0));
  EXPECT_THAT(EndTokens::Only(-1).ids, IsEmpty());
}

}  // namespace
}  // namespace alignsae
