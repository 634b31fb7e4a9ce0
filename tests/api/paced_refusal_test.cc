// Who asks again before the time that it was told hears no at that time.

#include "server/api/paced_refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "model/base/status_payload.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

constexpr absl::Duration kRetryAfter = absl::Milliseconds(900);

absl::Status Full() {
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError("queue: is full"),
                 kReasonQueueFull),
      kRetryAfter);
}

class PacedRefusalTest : public ApiTest {
 protected:
  PacedRefusalTest() { env_.refusal_pace = &pace_; }

  std::shared_ptr<Call> CallOf(const std::string& host) {
    Caller caller;
    caller.host = host;
    return MakeCall(kRpcSwap, caller);
  }
  // How long it took to tell `status`.
  absl::Duration Tell(const std::shared_ptr<Call>& call,
                      const absl::Status& status) {
    const absl::Time start = absl::Now();
    absl::Notification told;
    PacedDone(call, 100, [&](const absl::Status& end) {
      EXPECT_EQ(end, status);
      told.Notify();
    })(status);
    told.WaitForNotification();
    return absl::Now() - start;
  }

  RefusalPace pace_;
};

TEST_F(PacedRefusalTest, TheSecondOfAnOriginIsToldWhenItMayAskAgain) {
  const absl::Time start = absl::Now();
  Tell(CallOf("a"), Full());
  std::atomic<int> told{0};
  absl::Notification last;
  for (int i = 0; i < 5; ++i) {
    PacedDone(CallOf("a"), 100, [&](const absl::Status&) {
      if (++told == 5) last.Notify();
    })(Full());
  }
  EXPECT_EQ(told, 0);
  EXPECT_EQ(memory_.requests.used(), 500);
  Tell(CallOf("b"), Full());  // Another origin hears at once.
  EXPECT_EQ(told, 0);
  last.WaitForNotification();
  EXPECT_GE(absl::Now() - start, kRetryAfter);
  lanes_.Stop();
  EXPECT_EQ(memory_.requests.used(), 0);
}

TEST_F(PacedRefusalTest, WhatIsNoRefusalIsNeverKeptBack) {
  Tell(CallOf("a"), Full());
  for (const absl::Status& status :
       {absl::OkStatus(), absl::UnavailableError("drains"),
        absl::ResourceExhaustedError("and no time to ask again")}) {
    absl::Notification told;
    PacedDone(CallOf("a"), 100,
              [&](const absl::Status&) { told.Notify(); })(status);
    EXPECT_TRUE(told.HasBeenNotified()) << status;  // Before it returned.
  }
}

TEST_F(PacedRefusalTest, ACancelEndsTheWait) {
  RefusalPace& pace = pace_;
  pace.TellAt("a", absl::Seconds(1), absl::Now());
  const std::shared_ptr<Call> call = CallOf("a");
  absl::Notification told;
  const absl::Time start = absl::Now();
  PacedDone(call, 100, [&](const absl::Status&) { told.Notify(); })(Full());
  EXPECT_FALSE(told.HasBeenNotified());
  call->Cancel();
  told.WaitForNotification();
  EXPECT_LT(absl::Now() - start, absl::Seconds(1));
}

TEST_F(PacedRefusalTest, ItsAnswersMemoryIsGivenBackAtOnce) {
  pace_.TellAt("a", absl::Seconds(1), absl::Now());
  const std::shared_ptr<Call> call = CallOf("a");
  ASSERT_TRUE(call->TryHold(5000));
  absl::Notification told;
  PacedDone(call, 100, [&](const absl::Status&) { told.Notify(); })(Full());
  EXPECT_EQ(memory_.answers.used(), 0);
  call->Cancel();
  told.WaitForNotification();
}

TEST_F(PacedRefusalTest, NoRoomToWaitTellsAtOnce) {
  pace_.TellAt("a", absl::Seconds(1), absl::Now());
  const std::shared_ptr<Call> other = CallOf("a");
  ASSERT_OK_AND_ASSIGN(const MemoryBudget::Share held, other->HoldRequest(1));
  absl::Notification told;
  PacedDone(CallOf("a"), int64_t{1} << 40,
            [&](const absl::Status&) { told.Notify(); })(Full());
  EXPECT_TRUE(told.HasBeenNotified());
}

}  // namespace
}  // namespace alignsae
