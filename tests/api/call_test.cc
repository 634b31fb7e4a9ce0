#include "server/api/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/api/api_fixture.h"
#include "tests/support/fake_clock.h"

namespace alignsae {
namespace {

using ::testing::SizeIs;

class CallTest : public ApiTest {};

TEST_F(CallTest, TakesTheCallersIdsOrMakesThem) {
  Caller caller;
  caller.request_id = "r-1";
  caller.client = "team a";
  caller.host = "ipv4:10.0.0.7";
  const Call named(&env_, kRpcSwap, caller);
  EXPECT_EQ(named.request_id(), "r-1");
  EXPECT_EQ(named.owner(), (Owner{"ipv4:10.0.0.7", "team a"}));
  EXPECT_OK(named.status());
  caller.request_id = caller.client = "";
  const Call unnamed(&env_, kRpcSwap, caller);
  EXPECT_THAT(unnamed.request_id(), SizeIs(16));
  EXPECT_EQ(unnamed.owner(), (Owner{"ipv4:10.0.0.7", ""}));
}

TEST_F(CallTest, IdsKeepTheirRulesToTheByte) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  Caller caller;
  caller.request_id = std::string(128, ' ');
  EXPECT_OK(Call(&env_, kRpcSwap, caller).status());
  caller.request_id = std::string(129, 'r');
  EXPECT_THAT(
      Call(&env_, kRpcSwap, caller).status(),
      StatusIs(kInvalid, "x-request-id: must have at most 128 bytes, got 129"));
  for (const char* edge : {" ", "~"}) {
    caller.request_id = caller.client = edge;
    const Call call(&env_, kRpcSwap, caller);
    EXPECT_OK(call.status());
    EXPECT_EQ(call.request_id(), edge);
    EXPECT_EQ(call.owner().name, edge);
  }
  caller.client = "\x1f";
  EXPECT_EQ(Call(&env_, kRpcSwap, caller).status().code(), kInvalid);
  caller.client = "a\x7f";
  EXPECT_THAT(Call(&env_, kRpcSwap, caller).status(),
              StatusIs(kInvalid,
                       "x-client-id: must be printable ASCII, got \"a\\177\""));
}

TEST_F(CallTest, TheDeadlineIsTheClientsButNoLaterThanTheServers) {
  env_.config.limits.max_deadline_seconds = 60;
  const absl::Time now = absl::Now();
  const Call unhurried(&env_, kRpcSwap, {});
  EXPECT_LE(unhurried.deadline(), absl::Now() + absl::Minutes(1));
  EXPECT_GE(unhurried.deadline(), now + absl::Minutes(1));
  Caller caller;
  caller.deadline = now + absl::Seconds(3);
  EXPECT_EQ(Call(&env_, kRpcSwap, caller).deadline(), caller.deadline);
  caller.deadline = now - absl::Seconds(1);
  EXPECT_EQ(Call(&env_, kRpcSwap, caller).WhyStop().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(CallTest, TheDeadlineHasPassedAtItsInstant) {
  FakeClock clock;
  env_.clock = &clock;
  Caller caller;
  caller.deadline = clock.Now() + absl::Seconds(1);
  const Call call(&env_, kRpcSwap, caller);
  clock.Advance(absl::Seconds(1) - absl::Nanoseconds(1));
  EXPECT_OK(call.WhyStop());
  clock.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(call.WhyStop().code(), absl::StatusCode::kDeadlineExceeded);
}

// The client's clock may be ahead: it cancels when its own deadline passes.
TEST_F(CallTest, ACancelAtMostFiftyMillisecondsBeforeTheDeadlineIsTheDeadline) {
  for (const bool earlier : {false, true}) {
    FakeClock clock;
    env_.clock = &clock;
    Caller caller;
    caller.deadline = clock.Now() + absl::Seconds(1);
    Call call(&env_, kRpcSwap, caller);
    clock.Advance(absl::Milliseconds(950) - absl::Nanoseconds(earlier ? 1 : 0));
    EXPECT_EQ(call.End(absl::CancelledError("gone")).code,
              earlier ? absl::StatusCode::kCancelled
                      : absl::StatusCode::kDeadlineExceeded);
  }
}

TEST_F(CallTest, ACancelRunsWhatStopsTheWorkOnceWhicheverComesFirst) {
  Call early(&env_, kRpcSwap, {});
  int stops = 0;
  EXPECT_OK(early.WhyStop());
  early.Cancel();
  EXPECT_EQ(early.WhyStop().code(), absl::StatusCode::kCancelled);
  early.OnCancel([&] { ++stops; });
  EXPECT_EQ(stops, 1);
  Call late(&env_, kRpcSwap, {});
  late.OnCancel([&] { ++stops; });
  EXPECT_EQ(stops, 1);
  late.Cancel();
  late.Cancel();
  EXPECT_EQ(stops, 2);
}

TEST_F(CallTest, ACancelAfterTheEndStopsNothing) {
  Call call(&env_, kRpcSwap, {});
  int stops = 0;
  call.OnCancel([&] { ++stops; });
  EXPECT_EQ(call.End(absl::OkStatus()).code, absl::StatusCode::kOk);
  call.Cancel();
  EXPECT_EQ(stops, 0);
}

TEST_F(CallTest, CountsItselfUntilItIsGone) {
  const std::string in_flight =
      "alignsae_rpc_in_flight{method=\"SteeringService/Swap\"}";
  {
    Call call(&env_, kRpcSwap, {});
    EXPECT_EQ(open_calls_, 1);
    EXPECT_EQ(Metric(in_flight), "1");
    call.End(absl::OkStatus());
    EXPECT_EQ(Metric(in_flight), "0");
    EXPECT_EQ(open_calls_, 1);
  }
  EXPECT_EQ(open_calls_, 0);
}

}  // namespace
}  // namespace alignsae
