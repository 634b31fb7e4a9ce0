// Whole encodes beside everything else: they wait for each other, and nothing
// waits for them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/grpc/services_fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

// Encodes stand still until the gate opens.
class LanesTest : public ServicesTest {
 protected:
  LanesTest() {
    executor_.before_features = [this] {
      const int position = ++encoded_;
      gate_.WaitForNotification();
      if (position > open_until_) second_gate_.WaitForNotification();
    };
  }
  ~LanesTest() override { Open(); }

  // For the first `positions` only, and then for all.
  void OpenFor(int positions) {
    open_until_ = positions;
    gate_.Notify();
    half_open_ = true;
  }
  void Open() {
    if (std::exchange(open_, true)) return;
    if (!half_open_) gate_.Notify();
    second_gate_.Notify();
  }
  struct Inspection {
    grpc::ClientContext context;
    v1::InspectSlotsResponse answer;
    std::future<grpc::Status> status;
  };
  std::unique_ptr<Inspection> Inspect(absl::Duration timeout,
                                      const std::string& positions,
                                      const std::string& client = "") {
    auto inspection = std::make_unique<Inspection>();
    if (!client.empty()) {
      inspection->context.AddMetadata("x-client-id", client);
    }
    inspection->context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    inspection->status = std::async(
        std::launch::async, [this, positions, raw = inspection.get()] {
          return concept_stub_->InspectSlots(
              &raw->context,
              FromText<v1::InspectSlotsRequest>(
                  "checkpoint: 'whole' top_k: 2 prompt { token_ids { " +
                  positions + " } }"),
              &raw->answer);
        });
    return inspection;
  }
  bool Encodes(int positions) {
    for (int i = 0; i < 1000 && encoded_ < positions; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return encoded_ == positions;
  }

  std::atomic<int> encoded_{0};
  std::atomic<int> open_until_{1 << 30};
  absl::Notification gate_, second_gate_;
  bool half_open_ = false;
  bool open_ = false;
};

TEST_F(LanesTest, StreamsTokenizeAndCancelGoOnWhileTwoEncodesStandStill) {
  Load();
  const auto first = Inspect(absl::Seconds(30), "ids: 5 ids: 6");
  const auto second = Inspect(absl::Seconds(30), "ids: 5");
  ASSERT_TRUE(Encodes(1));
  grpc::ClientContext one, two, three;
  for (grpc::ClientContext* context : {&one, &two, &three}) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  }
  v1::TokenizeResponse tokens;
  EXPECT_TRUE(model_stub_
                  ->Tokenize(&one, FromText<v1::TokenizeRequest>("text: 'abc'"),
                             &tokens)
                  .ok());
  const auto reader = steering_stub_->Generate(
      &two, FromText<v1::GenerateRequest>(
                "prompt { token_ids { ids: 5 } } generation { "
                "max_new_tokens: 20 ignore_eos: true }"));
  v1::GenerateResponse event;
  int messages = 0;
  while (reader->Read(&event)) messages += event.has_token() ? 1 : 0;
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(messages, 20);

  const auto cancelled = steering_stub_->Generate(
      &three, FromText<v1::GenerateRequest>(
                  "prompt { token_ids { ids: 5 } } generation { "
                  "max_new_tokens: 50 ignore_eos: true }"));
  ASSERT_TRUE(cancelled->Read(&event));
  three.TryCancel();
  while (cancelled->Read(&event)) {
  }
  EXPECT_EQ(cancelled->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
  EXPECT_EQ(encoded_, 1);  // One at a time.
  Open();
  EXPECT_TRUE(first->status.get().ok());
  EXPECT_TRUE(second->status.get().ok());
  EXPECT_EQ(first->answer.tokens_size(), 2);
  EXPECT_EQ(first->answer.tokens(1).features().l0(), 5);
}

// A long encode gives the lane back every 32 positions.
TEST_F(LanesTest, AShortEncodeDoesNotWaitForTheEndOfALongOne) {
  Load();
  std::string ids;
  for (int i = 0; i < 40; ++i) ids += "ids: 5 ";
  const auto of_long = Inspect(absl::Seconds(30), ids, "a");
  ASSERT_TRUE(Encodes(1));
  const auto of_short = Inspect(absl::Seconds(30), "ids: 5", "b");
  // It waits for the lane: its step is over, and the step thread sleeps.
  ASSERT_TRUE(Reaches("alignsae_step_rows_count", "2"));
  OpenFor(33);
  EXPECT_TRUE(of_short->status.get().ok());
  EXPECT_EQ(of_long->status.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  Open();
  EXPECT_TRUE(of_long->status.get().ok());
  ASSERT_EQ(of_long->answer.tokens_size(), 40);
  for (const auto& token : of_long->answer.tokens()) {
    EXPECT_EQ(token.features().l0(), 5);
  }
}

TEST_F(LanesTest, AnEncodeStopsAtItsDeadline) {
  Load();
  const auto inspection =
      Inspect(absl::Milliseconds(300), "ids: 5 ids: 6 ids: 7");
  ASSERT_TRUE(Encodes(1));
  // The server's own deadline counts from when the call reached it.
  const absl::Time passed = absl::Now() + absl::Milliseconds(300);
  EXPECT_EQ(inspection->status.get().error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  absl::SleepFor(passed - absl::Now());
  Open();
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"DEADLINE_EXCEEDED\","
              "method=\"ConceptService/InspectSlots\"}",
              "1"));
  EXPECT_EQ(encoded_, 1);
}

TEST_F(LanesTest, AnEncodeStopsWhenItsClientGoes) {
  Load();
  const auto inspection = Inspect(absl::Seconds(30), "ids: 5 ids: 6 ids: 7");
  ASSERT_TRUE(Encodes(1));
  inspection->context.TryCancel();
  EXPECT_EQ(inspection->status.get().error_code(), grpc::StatusCode::CANCELLED);
  absl::SleepFor(absl::Milliseconds(100));  // The server learns of it.
  Open();
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"CANCELLED\","
              "method=\"ConceptService/InspectSlots\"}",
              "1"));
  EXPECT_EQ(encoded_, 1);
}

TEST_F(LanesTest, AFullBackgroundLaneRefusesEncodesAndNothingElse) {
  Load();
  std::vector<std::unique_ptr<Inspection>> taken;
  taken.push_back(Inspect(absl::Seconds(30), "ids: 5"));
  ASSERT_TRUE(Encodes(1));
  for (int i = 0; i < 2; ++i) {
    taken.push_back(Inspect(absl::Seconds(30), "ids: 5"));
  }
  // Three more: one runs and two wait at most.
  std::vector<std::unique_ptr<Inspection>> more;
  for (int i = 0; i < 3; ++i) {
    more.push_back(Inspect(absl::Seconds(30), "ids: 5"));
  }
  EXPECT_TRUE(Reaches("alignsae_rejected_total{reason=\"queue_full\"}", "3"));
  grpc::ClientContext context;
  v1::InspectSlotsResponse answer;
  EXPECT_TRUE(concept_stub_
                  ->InspectSlots(&context,
                                 FromText<v1::InspectSlotsRequest>(
                                     "prompt { token_ids { ids: 5 } }"),
                                 &answer)
                  .ok());
  Open();
  int refused = 0;
  for (auto* group : {&taken, &more}) {
    for (const auto& inspection : *group) {
      const grpc::Status status = inspection->status.get();
      if (status.ok()) continue;
      ++refused;
      EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
      EXPECT_THAT(status.error_message(), HasSubstr("top_k"));
      EXPECT_EQ(InfoOf(status).reason(), "QUEUE_FULL");
      EXPECT_EQ(inspection->context.GetServerTrailingMetadata().count(
                    "grpc-retry-pushback-ms"),
                1u);
    }
  }
  EXPECT_EQ(refused, 3);
}

}  // namespace
}  // namespace alignsae
