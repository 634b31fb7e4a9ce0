#include "server/policy/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/base/status_payload.h"
#include "tests/policy/small_policy.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr char kHost[] = "ipv4:10.0.0.7";

struct Shown {
  const char* what;
  Credentials credentials;
  const char* name;  // "": refused.
  const char* sentence;
};

TEST(IdentityTest, IsWhatWasShown) {
  const std::vector<std::string> proxy = {"envoy.example.org"};
  for (const Shown& shown : std::vector<Shown>{
           {"nothing", {}, "guest", ""},
           {"a token", {{}, "Bearer secret", ""}, "anna", ""},
           {"in lower case", {{}, "bearer secret", ""}, "anna", ""},
           {"a certificate", {{"spiffe://example.org/ops"}, "", ""}, "ops", ""},
           {"a stranger's certificate",
            {{"spiffe://other"}, "", ""},
            "guest",
            ""},
           {"a name by a proxy",
            {proxy, "", "eva@example.org"},
            "staff/eva@example.org",
            ""},
           {"that of a token, by a proxy",
            {proxy, "Bearer of.the.provider", "eva@example.org"},
            "staff/eva@example.org",
            ""},
           // What is shown and wrong is never taken for something else.
           {"a wrong token",
            {{"spiffe://example.org/ops"}, "Bearer no", ""},
            "",
            "authorization: must hold a token of the policy's list"},
           {"another scheme",
            {{}, "Basic secret", ""},
            "",
            "authorization: must be \"Bearer\" and a token"},
           {"a name by nobody",
            {{}, "Bearer secret", "eva@example.org"},
            "",
            "x-forwarded-user: must come from a proxy that the policy names"},
           {"by a principal that is no proxy",
            {{"spiffe://example.org/ops"}, "", "eva@example.org"},
            "",
            "x-forwarded-user: must come from a proxy"},
           {"a stranger, by a proxy",
            {proxy, "", "eva@other.org"},
            "",
            "x-forwarded-user: must name a principal of the policy, got "
            "\"eva@other.org\""},
           {"two names",
            {proxy, "", "mallory, eva@example.org"},
            "",
            "x-forwarded-user: must name a principal"},
       }) {
    const absl::StatusOr<Principal> principal =
        Identify(SmallState(), shown.credentials, kHost);
    if (shown.name[0] != '\0') {
      ASSERT_THAT(principal, IsOk()) << shown.what;
      EXPECT_EQ(principal->name, shown.name) << shown.what;
    } else {
      EXPECT_THAT(principal, StatusIs(absl::StatusCode::kUnauthenticated,
                                      HasSubstr(shown.sentence)))
          << shown.what;
      EXPECT_EQ(ReasonOf(principal.status()), "CREDENTIALS");
    }
  }
}

TEST(IdentityTest, OnlyTheAnonymousGoByTheirHost) {
  EXPECT_EQ(Identify(SmallState(), {}, kHost)->origin, "guest/ipv4:10.0.0.7");
  EXPECT_EQ(Identify(SmallState(), {{}, "Bearer secret", ""}, kHost)->origin,
            "anna");
}

TEST(IdentityTest, NobodyIsRefusedWhereThereIsNoAnonymous) {
  PolicyState state = *SmallState();
  state.policy.principals.pop_back();
  EXPECT_THAT(
      Identify(std::make_shared<const PolicyState>(state), {}, kHost),
      StatusIs(absl::StatusCode::kUnauthenticated,
               HasSubstr("authorization: must be a bearer token where no "
                         "certificate names a principal of the policy, got "
                         "none")));
}

}  // namespace
}  // namespace alignsae
