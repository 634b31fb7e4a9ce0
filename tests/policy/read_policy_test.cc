#include "server/policy/read_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "nlohmann/json.hpp"
#include "server/policy/token_list.h"
#include "tests/policy/small_policy.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::json;

TEST(ReadPolicyTest, ReadsWhatStandsThere) {
  ASSERT_OK_AND_ASSIGN(const Policy policy,
                       ReadPolicy(kSmallPolicy, "policy", SmallRpcs()));
  ASSERT_EQ(policy.groups.size(), 3u);
  const Group& readers = policy.groups[0];
  EXPECT_THAT(readers.rpcs.names,
              UnorderedElementsAre("ConceptService/ReadConcepts",
                                   "ModelService/GetModel"));
  EXPECT_TRUE(readers.models.all);
  EXPECT_TRUE(readers.checkpoints.all);
  EXPECT_FALSE(readers.steer.has_value());
  const Group& editors = policy.groups[1];
  // "*" is what users call, not what operators do.
  EXPECT_FALSE(editors.rpcs.Allows("OperatorService/ReloadModel"));
  EXPECT_FALSE(editors.rpcs.Allows("ServerReflection/ServerReflectionInfo"));
  EXPECT_TRUE(editors.rpcs.Allows("SteeringService/Swap"));
  EXPECT_FALSE(editors.models.Allows("other"));
  EXPECT_EQ(editors.steer->alpha, std::make_pair(-2.0, 2.0));
  EXPECT_FALSE(editors.steer->vectors);
  EXPECT_EQ(editors.quota.tokens_per_minute, 600);
  EXPECT_EQ(editors.quota.slots, 2);
  EXPECT_TRUE(policy.groups[2].rpcs.Allows("OperatorService/ReloadModel"));
  EXPECT_TRUE(policy.groups[2].steer->vectors);
  EXPECT_EQ(policy.groups[2].steer->modes.size(), kInterventionModes.size());
  EXPECT_EQ(policy.Anonymous()->name, "guest");
}

TEST(ReadPolicyTest, SourcesAreTheConceptsUnlessTheyAreNamed) {
  Json json = Json::parse(kSmallPolicy);
  json["groups"][1]["steer"].erase("sources");
  ASSERT_OK_AND_ASSIGN(const Policy policy,
                       ReadPolicy(json.dump(), "policy", SmallRpcs()));
  EXPECT_FALSE(policy.groups[1].steer->sources.all);
  EXPECT_TRUE(policy.groups[1].steer->sources.Allows("job"));
}

struct BadPolicy {
  const char* pointer;  // What is replaced.
  Json value;
  const char* sentence;
};

TEST(ReadPolicyTest, RefusesInOneSentence) {
  for (const BadPolicy& bad : std::vector<BadPolicy>{
           {"/format_version", 2,
            "policy: format_version: must be an integer in [1, 1], got 2"},
           {"/more", 1, "\"more\": must not be there"},
           {"/groups/0/rpcs/0", "ConceptService/Read",
            "policy: groups[0].rpcs[0]: must be \"*\", \"Service/*\" or the "
            "\"Service/Method\" of an RPC, got \"ConceptService/Read\""},
           {"/groups/0/rpcs/0", "Concept*", "groups[0].rpcs[0]: must be"},
           {"/groups/1/name", "readers",
            "groups[1].name: must be that of one group only"},
           {"/groups/1/steer/modes", Json::array(),
            "groups[1].steer.modes: must be an array of at least one mode"},
           {"/groups/1/steer/modes/0", "WISH",
            "groups[1].steer.modes[0]: must be \"*\" or one of ADD"},
           {"/groups/1/steer/alpha", Json::array({2, 1}),
            "groups[1].steer.alpha: must be [low, high], two numbers in "
            "order, got [2,1]"},
           {"/groups/1/steer/vectors", "yes",
            "groups[1].steer.vectors: must be true or false"},
           {"/groups/1/quota/slots", 1,
            "groups[1].quota.slots: must be a whole number in [2, 1024], got "
            "1"},
           {"/groups/1/quota/tokens_per_minute", 1.5,
            "groups[1].quota.tokens_per_minute: must be a whole number"},
           {"/principals/0/group", "nobody",
            "principals[0].group: must be the name of a group, got \"nobody\""},
           {"/principals/1/name", "anna",
            "principals[1].name: must be that of one principal only"},
           {"/principals/1/certificates/0", "*",
            "principals[1].certificates[0]: must be a name"},
           {"/principals/2/forwarded/0", "*@*",
            "principals[2].forwarded[0]: must be a name"},
           {"/principals/0/token", false,
            "principals[0].name: must be of somebody with certificates"},
           {"/principals/0/anonymous", true,
            "principals[3].anonymous: must be true for one principal only"},
       }) {
    Json json = Json::parse(kSmallPolicy);
    json[Json::json_pointer(bad.pointer)] = bad.value;
    EXPECT_THAT(
        ReadPolicy(json.dump(), "policy", SmallRpcs()),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(bad.sentence)))
        << bad.pointer;
  }
}

TEST(ReadPolicyTest, ANameMayHaveOneStar) {
  EXPECT_TRUE(MatchesName("*@example.org", "a@example.org"));
  EXPECT_TRUE(MatchesName("spiffe://x/*", "spiffe://x/y/z"));
  EXPECT_FALSE(MatchesName("*@example.org", "a@example.org.evil"));
  EXPECT_FALSE(MatchesName("ab*ba", "aba"));
  EXPECT_FALSE(MatchesName("anna", "anna2"));
}

TEST(TokenListTest, FindsWhoseTokenItIs) {
  const auto state = SmallState();
  EXPECT_EQ(state->tokens.OwnerOf("secret"), "anna");
  EXPECT_EQ(state->tokens.OwnerOf("secret2"), "");
  EXPECT_EQ(state->tokens.OwnerOf(""), "");
  // What stands in the file is no token.
  EXPECT_EQ(state->tokens.OwnerOf(Sha256Hex("secret")), "");
}

TEST(TokenListTest, RefusesWithTheLineAndNeverShowsWhatMayBeAToken) {
  const auto state = SmallState();
  const Policy& policy = state->policy;
  const absl::Status plain =
      TokenList::Read("anna secret\n", "tokens", policy).status();
  EXPECT_THAT(plain, StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr("tokens: line 1: must be NAME and")));
  EXPECT_EQ(std::string(plain.message()).find("secret"), std::string::npos);
  EXPECT_THAT(
      TokenList::Read("\nops " + Sha256Hex("x"), "tokens", policy),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("tokens: line 2: must name a principal of the policy "
                         "with \"token\": true, got \"ops\"")));
}

}  // namespace
}  // namespace alignsae
