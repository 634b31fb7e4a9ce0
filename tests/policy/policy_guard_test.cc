#include "server/policy/policy_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "tests/policy/small_policy.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr char kGetModel[] = "ModelService/GetModel";

class PolicyGuardTest : public ::testing::Test {
 protected:
  PolicyGuardTest() {
    Write(files_.policy, kSmallPolicy);
    Write(files_.tokens, SmallTokens());
  }
  ~PolicyGuardTest() override {
    unlink(files_.policy.c_str());
    unlink(files_.tokens.c_str());
  }

  static void Write(const std::string& path, const std::string& text) {
    ASSERT_OK(WriteFileAtomically(path, text));
  }
  static bool Becomes(const std::function<bool()>& condition) {
    for (int i = 0; i < 500 && !condition(); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return condition();
  }
  absl::Status Admit(PolicyGuard& guard, const std::string& token) {
    const Credentials shown = {
        {}, token.empty() ? "" : absl::StrCat("Bearer ", token), ""};
    return guard.Admit(kGetModel, shown, "host", absl::Now()).status();
  }

  const PolicyGuard::Files files_ = {
      absl::StrCat(::testing::TempDir(), "/guard_policy.", getpid()),
      absl::StrCat(::testing::TempDir(), "/guard_tokens.", getpid())};
};

TEST_F(PolicyGuardTest, ABadFileStopsTheStartBehindItsFlag) {
  Write(files_.tokens, "anna secret\n");
  EXPECT_THAT(
      PolicyGuard::Create(files_, SmallRpcs()).status(),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--tokens: ")));
  Write(files_.policy, "[]");
  EXPECT_THAT(
      PolicyGuard::Create(files_, SmallRpcs()).status(),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--policy: ")));
}

TEST_F(PolicyGuardTest, TakesWhatChangesAndKeepsTheOldBesideABadOne) {
  ASSERT_OK_AND_ASSIGN(const auto guard,
                       PolicyGuard::Create(files_, SmallRpcs()));
  EXPECT_OK(Admit(*guard, ""));
  EXPECT_OK(Admit(*guard, "secret"));
  EXPECT_TRUE(absl::IsUnauthenticated(Admit(*guard, "newer")));

  Write(files_.tokens, "anna " + Sha256Hex("newer") + "\n");
  EXPECT_TRUE(Becomes([&] { return guard->counts().reloads == 1; }));
  EXPECT_OK(Admit(*guard, "newer"));
  EXPECT_TRUE(absl::IsUnauthenticated(Admit(*guard, "secret")));

  Write(files_.policy, "{\"format_version\": 1");
  EXPECT_TRUE(Becomes([&] { return guard->counts().failures == 1; }));
  EXPECT_OK(Admit(*guard, "newer"));
  EXPECT_OK(Admit(*guard, ""));

  Write(files_.policy,
        absl::StrReplaceAll(
            kSmallPolicy, {{"\"ModelService/GetModel\"", "\"ModelService/*\""},
                           {"\"anonymous\": true", "\"token\": true"}}));
  EXPECT_TRUE(Becomes([&] { return guard->counts().reloads == 2; }));
  EXPECT_TRUE(absl::IsUnauthenticated(Admit(*guard, "")));
  EXPECT_EQ(guard->counts().failures, 1);
}

TEST_F(PolicyGuardTest, CountsWhatItRefuses) {
  ASSERT_OK_AND_ASSIGN(const auto guard,
                       PolicyGuard::Create(files_, SmallRpcs()));
  EXPECT_FALSE(Admit(*guard, "wrong").ok());
  ASSERT_OK_AND_ASSIGN(const Principal guest,
                       guard->Admit(kGetModel, {}, "host", absl::Now()));
  EXPECT_FALSE(
      guard->Admit("SteeringService/Swap", {}, "host", absl::Now()).ok());
  AskedChange change;
  EXPECT_FALSE(guard->Permit(guest, {{}, {change}, {}}, 1, absl::Now()).ok());
  ASSERT_OK_AND_ASSIGN(
      const Principal anna,
      guard->Admit(kGetModel, {{}, "Bearer secret", ""}, "host", absl::Now()));
  // A refused request takes no tokens.
  change.target = "city";
  EXPECT_FALSE(guard->Permit(anna, {{}, {change}, {}}, 600, absl::Now()).ok());
  EXPECT_OK(guard->Permit(anna, {}, 600, absl::Now()));
  EXPECT_FALSE(guard->Permit(anna, {}, 600, absl::Now()).ok());
  const PolicyGuard::Counts counts = guard->counts();
  EXPECT_EQ(counts.unauthenticated, 1);
  EXPECT_EQ(counts.denied, 3);
  EXPECT_EQ(counts.quota, 1);
}

}  // namespace
}  // namespace alignsae
