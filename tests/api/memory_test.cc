// Calls whose memory is not there: the budget's, and the allocator's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/api/concept_rpcs.h"
#include "server/api/held_bytes.h"
#include "server/api/model_rpcs.h"
#include "server/api/steering_rpcs.h"
#include "tests/api/api_fixture.h"
#include "tests/api/failing_new.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class MemoryTest : public ApiTest {
 protected:
  std::string ReasonOf(const WireStatus& status) {
    google::rpc::Status details;
    google::rpc::ErrorInfo info;
    EXPECT_TRUE(details.ParseFromString(status.details));
    EXPECT_TRUE(details.details_size() > 0 &&
                details.details(0).UnpackTo(&info));
    return info.reason();
  }
  void ExpectNoRoom(const WireStatus& status) {
    EXPECT_EQ(status.code, absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(status.message, HasSubstr("--call-memory-mib"));
    EXPECT_EQ(ReasonOf(status), "MEMORY");
    EXPECT_EQ(status.retry_pushback, "500");
  }
  // Everything that one host may hold.
  std::optional<MemoryBudget::Share> TakeAll(MemoryBudget& budget) {
    return budget.TryTake({"", ""}, budget.limit() / 2);
  }
  v1::TokenizeRequest Long() {
    v1::TokenizeRequest request;
    request.set_text(std::string(env_.config.limits.max_prompt_bytes, 'a'));
    return request;
  }
};

TEST_F(MemoryTest, WithoutRoomForItsAnswerACallForTheModelIsRefusedFirst) {
  Load();
  const auto taken = TakeAll(memory_.answers);
  ASSERT_TRUE(taken.has_value());
  const int64_t held = memory_.answers.used();
  v1::SwapResponse swap;
  ExpectNoRoom(Run(&Swap, MakeCall(kRpcSwap),
                   FromText<v1::SwapRequest>(
                       "prompt { token_ids { ids: 5 } } target { slot: 1 }"),
                   &swap));
  v1::CompleteResponse complete;
  ExpectNoRoom(
      Run(&Complete, MakeCall(kRpcComplete),
          FromText<v1::CompleteRequest>("prompt { token_ids { ids: 5 } }"),
          &complete));
  v1::ReadConceptsResponse read;
  ExpectNoRoom(
      Run(&ReadConcepts, MakeCall(kRpcReadConcepts),
          FromText<v1::ReadConceptsRequest>("prompts { token_ids { ids: 5 } }"),
          &read));
  v1::ListConceptsResponse list;
  ExpectNoRoom(Run(&ListConcepts, MakeCall(kRpcListConcepts),
                   v1::ListConceptsRequest(), &list));
  EXPECT_EQ(memory_.answers.used(), held);
  EXPECT_EQ(Metric("alignsae_rejected_total{reason=\"memory\"}"), "4");
  EXPECT_EQ(Metric("alignsae_prompt_tokens_total"), "0");
}

TEST_F(MemoryTest, WithoutRoomToWaitARequestIsRefusedAndOthersAreServed) {
  Load();
  const auto taken = TakeAll(memory_.requests);
  ASSERT_TRUE(taken.has_value());
  v1::TokenizeResponse response;
  ExpectNoRoom(Run(&Tokenize, MakeCall(kRpcTokenize), Long(), &response));
  Caller another;
  another.host = "another";
  EXPECT_EQ(
      Run(&Tokenize, MakeCall(kRpcTokenize, another), Long(), &response).code,
      absl::StatusCode::kOk);
}

TEST_F(MemoryTest, AStreamWithoutRoomToWaitIsRefusedToo) {
  Load();
  const auto taken = TakeAll(memory_.requests);
  ASSERT_TRUE(taken.has_value());
  const auto request = FromText<v1::GenerateRequest>("prompt { text: 'a' }");
  const auto sink = RunStream(&Generate, MakeCall(kRpcGenerate), request);
  ExpectNoRoom(sink->status);
  EXPECT_TRUE(sink->messages.empty());
}

TEST_F(MemoryTest, TokenizeWaitsUntilThereIsRoom) {
  Load();
  auto taken = TakeAll(memory_.answers);
  v1::TokenizeResponse response;
  const v1::TokenizeRequest request = Long();
  absl::Notification ended;
  absl::Status status;
  Tokenize(MakeCall(kRpcTokenize), &request, &response,
           [&](const absl::Status& told) {
             status = told;
             ended.Notify();
           });
  EXPECT_FALSE(ended.WaitForNotificationWithTimeout(absl::Milliseconds(100)));
  taken.reset();
  ended.WaitForNotification();
  EXPECT_OK(status);
  EXPECT_GT(response.tokens_size(), 0);
}

// Refused, its client would ask again at once, and have it parsed again.
TEST_F(MemoryTest, AnInspectionOfFeaturesWaitsForRoomToo) {
  Load();
  auto taken = TakeAll(memory_.answers);
  v1::InspectSlotsResponse response;
  const auto request = FromText<v1::InspectSlotsRequest>(
      "prompt { token_ids { ids: [5, 6] } } checkpoint: 'whole' top_k: 3");
  absl::Notification ended;
  absl::Status status;
  InspectSlots(MakeCall(kRpcInspectSlots), &request, &response,
               [&](const absl::Status& told) {
                 status = told;
                 ended.Notify();
               });
  EXPECT_FALSE(ended.WaitForNotificationWithTimeout(absl::Milliseconds(100)));
  EXPECT_EQ(Metric("alignsae_prompt_tokens_total"), "0");
  taken.reset();
  ended.WaitForNotification();
  EXPECT_OK(status);
  EXPECT_EQ(response.tokens_size(), 2);
  EXPECT_EQ(Metric("alignsae_rejected_total{reason=\"memory\"}"), "0");
}

TEST_F(MemoryTest, ACallThatWaitsForRoomEndsWhenItIsCancelled) {
  Load();
  const auto taken = TakeAll(memory_.answers);
  v1::TokenizeResponse response;
  const v1::TokenizeRequest request = Long();
  const auto call = MakeCall(kRpcTokenize);
  absl::Notification ended;
  absl::Status status;
  Tokenize(call, &request, &response, [&](const absl::Status& told) {
    status = told;
    ended.Notify();
  });
  call->Cancel();
  ended.WaitForNotification();
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_EQ(response.tokens_size(), 0);
}

TEST_F(MemoryTest, WhoWaitsForRoomIsToldOfADrain) {
  Load();
  const auto taken = TakeAll(memory_.answers);
  const auto inspect = FromText<v1::InspectSlotsRequest>(
      "prompt { token_ids { ids: 5 } } checkpoint: 'whole' top_k: 3");
  const v1::TokenizeRequest tokenize = Long();
  v1::InspectSlotsResponse slots;
  v1::TokenizeResponse tokens;
  absl::Notification inspected, tokenized;
  absl::Status first, second;
  InspectSlots(MakeCall(kRpcInspectSlots), &inspect, &slots,
               [&](const absl::Status& told) {
                 first = told;
                 inspected.Notify();
               });
  Tokenize(MakeCall(kRpcTokenize), &tokenize, &tokens,
           [&](const absl::Status& told) {
             second = told;
             tokenized.Notify();
           });
  EXPECT_FALSE(
      inspected.WaitForNotificationWithTimeout(absl::Milliseconds(100)));
  registry_.RefuseNew();
  inspected.WaitForNotification();
  tokenized.WaitForNotification();
  EXPECT_TRUE(absl::IsUnavailable(first)) << first;
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
}

TEST_F(MemoryTest, AnAnswerHoldsItsBytesUntilTheCallIsGone) {
  Load();
  auto call = MakeCall(kRpcTokenize);
  v1::TokenizeResponse response;
  EXPECT_EQ(Run(&Tokenize, call, Long(), &response).code,
            absl::StatusCode::kOk);
  const int64_t held = memory_.answers.used();
  EXPECT_GE(held, static_cast<int64_t>(response.SpaceUsedLong() +
                                       response.ByteSizeLong()));
  call.reset();
  for (int i = 0; i < 1000 && memory_.answers.used() > 0; ++i) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(memory_.answers.used(), 0);
  EXPECT_EQ(memory_.requests.used(), 0);
}

// Each large allocation of a call fails once: that call is told, and the next
// one is answered.
TEST_F(MemoryTest, AnAllocationThatFailsEndsItsCallAlone) {
  Load();
  const v1::TokenizeRequest tokenize = Long();
  v1::DetokenizeRequest detokenize;
  for (int i = 0; i < 4000; ++i) detokenize.add_token_ids(i % 50);
  int failures = 0;
  for (int k = 1; k < 100; ++k) {
    fail_large_allocation = k;
    v1::TokenizeResponse tokens;
    const WireStatus first =
        Run(&Tokenize, MakeCall(kRpcTokenize), tokenize, &tokens);
    const bool failed = fail_large_allocation.exchange(0) == 0;
    EXPECT_EQ(first.code, failed ? absl::StatusCode::kResourceExhausted
                                 : absl::StatusCode::kOk)
        << k;
    EXPECT_EQ(failed ? ReasonOf(first) : "MEMORY", "MEMORY");
    fail_large_allocation = k;
    v1::DetokenizeResponse text;
    const WireStatus second =
        Run(&Detokenize, MakeCall(kRpcDetokenize), detokenize, &text);
    const bool also_failed = fail_large_allocation.exchange(0) == 0;
    EXPECT_EQ(second.code, also_failed ? absl::StatusCode::kResourceExhausted
                                       : absl::StatusCode::kOk);
    failures += (failed ? 1 : 0) + (also_failed ? 1 : 0);
    if (!failed && !also_failed) break;
  }
  EXPECT_GT(failures, 4);
}

// Also where the step thread keeps what the model said.
TEST_F(MemoryTest, AnAllocationThatFailsInACallForTheModelEndsItAlone) {
  Load();
  const auto swap = FromText<v1::SwapRequest>(
      "prompt { token_ids { ids: 5 } } target { slot: 1 } generation { "
      "max_new_tokens: 63 ignore_eos: true top_logprobs: 2 }");
  const auto inspect = FromText<v1::InspectSlotsRequest>(
      "prompt { token_ids { ids: 5 ids: 6 } } checkpoint: 'whole' top_k: 3");
  int failures = 0;
  for (int k = 1; k < 100; ++k) {
    const auto expect = [&](const WireStatus& told) {
      const bool failed = fail_large_allocation.exchange(0) == 0;
      EXPECT_EQ(told.code, failed ? absl::StatusCode::kResourceExhausted
                                  : absl::StatusCode::kOk)
          << k << told.message;
      failures += failed ? 1 : 0;
      return failed;
    };
    v1::SwapResponse swapped;
    fail_large_allocation = k;
    bool any = expect(Run(&Swap, MakeCall(kRpcSwap), swap, &swapped));
    v1::InspectSlotsResponse inspected;
    fail_large_allocation = k;
    any |= expect(
        Run(&InspectSlots, MakeCall(kRpcInspectSlots), inspect, &inspected));
    if (!any) break;
  }
  EXPECT_GT(failures, 2);
}

}  // namespace
}  // namespace alignsae
