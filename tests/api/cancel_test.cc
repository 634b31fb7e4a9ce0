// A cancel ends a call wherever it is, also while the request is parsed: before
// there is anything with the scheduler that could be cancelled.

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "server/api/steering_rpcs.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

class CancelTest : public ApiTest {
 protected:
  // The executor is asked about the intervention while the request is parsed.
  void CancelWhileParsed(const std::shared_ptr<Call>& call) {
    executor_.check_intervention =
        [weak = std::weak_ptr<Call>(call)](const Intervention&) {
          if (const auto parsed = weak.lock()) parsed->Cancel();
          return absl::OkStatus();
        };
  }
  void ExpectNothingRan() {
    EXPECT_TRUE(executor_.steps.empty());
    EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
    EXPECT_TRUE(Reaches("alignsae_queue_depth", "0"));
    EXPECT_TRUE(Reaches("alignsae_generated_tokens_total", "0"));
  }
};

constexpr char kEndless[] =
    "prompt { token_ids { ids: 5 } } target { slot: 1 } generation { "
    "max_new_tokens: 63 ignore_eos: true }";

TEST_F(CancelTest, OfAUnaryCallIsNotLost) {
  Load();
  auto call = MakeCall(kRpcSwap);
  CancelWhileParsed(call);
  v1::SwapResponse response;
  EXPECT_EQ(Run(&Swap, std::move(call), FromText<v1::SwapRequest>(kEndless),
                &response)
                .code,
            absl::StatusCode::kCancelled);
  EXPECT_EQ(response.steered().tokens_size(), 0);
  ExpectNothingRan();
}

TEST_F(CancelTest, OfAStreamIsNotLost) {
  Load();
  auto call = MakeCall(kRpcGenerate);
  CancelWhileParsed(call);
  const auto request = FromText<v1::GenerateRequest>(
      "prompt { token_ids { ids: 5 } } interventions { mode: "
      "INTERVENTION_MODE_ADD target { slot: 1 } } generation { max_new_tokens: "
      "63 ignore_eos: true }");
  const auto sink = RunStream(&Generate, std::move(call), request);
  EXPECT_EQ(sink->status.code, absl::StatusCode::kCancelled);
  EXPECT_TRUE(sink->messages.empty());
  ExpectNothingRan();
}

TEST_F(CancelTest, BeforeTheCallIsParsedParsesNothing) {
  Load();
  int parsed = 0;
  executor_.check_intervention = [&](const Intervention&) {
    ++parsed;
    return absl::OkStatus();
  };
  auto call = MakeCall(kRpcSwap);
  call->Cancel();
  v1::SwapResponse response;
  EXPECT_EQ(Run(&Swap, std::move(call), FromText<v1::SwapRequest>(kEndless),
                &response)
                .code,
            absl::StatusCode::kCancelled);
  EXPECT_EQ(parsed, 0);
  EXPECT_TRUE(executor_.steps.empty());
}

}  // namespace
}  // namespace alignsae
