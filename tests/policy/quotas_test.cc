#include "server/policy/quotas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "model/base/status_payload.h"
#include "tests/policy/small_policy.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

Principal Named(const std::string& forwarded) {
  return Identify(SmallState(), {{"envoy.example.org"}, "", forwarded}, "host")
      .value();
}

TEST(QuotasTest, AMinutesWorthAtOnceThenAsItFills) {
  Quotas quotas;
  const Principal eva = Named("eva@example.org");
  EXPECT_OK(quotas.TakeTokens(eva, 500, kStart));
  EXPECT_OK(quotas.TakeTokens(eva, 100, kStart));
  const absl::Status spent = quotas.TakeTokens(eva, 50, kStart);
  EXPECT_EQ(spent.message(),
            "quota: must be at most 600 tokens a minute (quota of group "
            "editors), got 50 more");
  EXPECT_TRUE(absl::IsResourceExhausted(spent));
  EXPECT_EQ(ReasonOf(spent), "QUOTA");
  // 10 a second.
  EXPECT_EQ(RetryAfterOf(spent), absl::Seconds(5));
  EXPECT_FALSE(
      quotas.TakeTokens(eva, 50, kStart + absl::Milliseconds(4900)).ok());
  EXPECT_OK(quotas.TakeTokens(eva, 50, kStart + absl::Seconds(5)));
  EXPECT_FALSE(quotas.TakeTokens(eva, 1, kStart + absl::Seconds(5)).ok());
}

TEST(QuotasTest, WhatIsRefusedTakesNothing) {
  Quotas quotas;
  const Principal eva = Named("eva@example.org");
  for (int i = 0; i < 10; ++i) {
    const absl::Status never = quotas.TakeTokens(eva, 601, kStart);
    EXPECT_TRUE(absl::IsResourceExhausted(never));
    EXPECT_FALSE(RetryAfterOf(never).has_value());
  }
  EXPECT_OK(quotas.TakeTokens(eva, 600, kStart));
}

TEST(QuotasTest, WhatIsNotSpentIsGivenBack) {
  Quotas quotas;
  const Principal eva = Named("eva@example.org");
  EXPECT_OK(quotas.TakeTokens(eva, 600, kStart));
  quotas.ReturnTokens(eva, 100);
  EXPECT_OK(quotas.TakeTokens(eva, 100, kStart));
  EXPECT_FALSE(quotas.TakeTokens(eva, 1, kStart).ok());
  quotas.ReturnTokens(eva, 9000);  // No more than there was.
  EXPECT_OK(quotas.TakeTokens(eva, 600, kStart));
  EXPECT_FALSE(quotas.TakeTokens(eva, 1, kStart).ok());
}

TEST(QuotasTest, EachPrincipalHasItsOwn) {
  Quotas quotas;
  EXPECT_OK(quotas.TakeTokens(Named("eva@example.org"), 600, kStart));
  EXPECT_OK(quotas.TakeTokens(Named("max@example.org"), 600, kStart));
  EXPECT_FALSE(quotas.TakeTokens(Named("max@example.org"), 1, kStart).ok());
}

// Nobody knows before how long a worker will have to do with a call.
TEST(QuotasTest, WorkerTimeIsTakenWhenItWasSpent) {
  Quotas quotas;
  const Principal eva = Named("eva@example.org");
  EXPECT_OK(quotas.CheckWork(eva, kStart));
  quotas.SpendWork(eva, absl::Seconds(29.9), kStart);
  EXPECT_OK(quotas.CheckWork(eva, kStart));
  quotas.SpendWork(eva, absl::Seconds(5.1), kStart);  // 5 too many.
  const absl::Status spent = quotas.CheckWork(eva, kStart);
  EXPECT_EQ(spent.message(),
            "quota: must use at most 30 seconds of the server's workers a "
            "minute (quota of group editors), and has used them");
  EXPECT_EQ(ReasonOf(spent), "QUOTA");
  // Half a second of it fills in each.
  EXPECT_EQ(RetryAfterOf(spent), absl::Seconds(10));
  EXPECT_FALSE(quotas.CheckWork(eva, kStart + absl::Seconds(9.9)).ok());
  EXPECT_OK(quotas.CheckWork(eva, kStart + absl::Seconds(10.1)));
  EXPECT_OK(quotas.CheckWork(Named("max@example.org"), kStart));
}

TEST(QuotasTest, RequestsAreCountedApart) {
  Quotas quotas;
  const Principal eva = Named("eva@example.org");
  for (int i = 0; i < 60; ++i) EXPECT_OK(quotas.TakeRequest(eva, kStart));
  EXPECT_FALSE(quotas.TakeRequest(eva, kStart).ok());
  EXPECT_OK(quotas.TakeTokens(eva, 600, kStart));
  // Who has no quota is never refused.
  const Principal guest = Identify(SmallState(), {}, "host").value();
  for (int i = 0; i < 1000; ++i) EXPECT_OK(quotas.TakeRequest(guest, kStart));
}

TEST(QuotasTest, ManyNamesAreForgottenOnceTheirBucketsAreFull) {
  Quotas quotas;
  Principal principal = Named("eva@example.org");
  for (int i = 0; i < 5000; ++i) {
    principal.origin = absl::StrCat("staff/", i, "@example.org");
    EXPECT_OK(quotas.TakeTokens(principal, 600, kStart));
  }
  const absl::Time later = kStart + absl::Seconds(61);
  EXPECT_OK(quotas.TakeTokens(Named("new@example.org"), 600, later));
  EXPECT_OK(quotas.TakeTokens(Named("7@example.org"), 600, later));
  EXPECT_FALSE(quotas.TakeTokens(Named("7@example.org"), 1, later).ok());
}

}  // namespace
}  // namespace alignsae
