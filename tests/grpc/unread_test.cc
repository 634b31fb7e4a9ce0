// Streams that nobody reads.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "model/base/status_payload.h"
#include "tests/grpc/services_fixture.h"

namespace alignsae {
namespace {

// A stream whose reader takes nothing, behind a window that is soon full.
class UnreadTest : public ServicesTest {
 protected:
  std::shared_ptr<grpc::Channel> SmallWindow() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 256);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return grpc::CreateCustomChannel(
        address_, grpc::InsecureChannelCredentials(), arguments);
  }
  v1::GenerateRequest Request() const {
    return FromText<v1::GenerateRequest>(
        "prompt { token_ids { ids: 5 } } generation { max_new_tokens: 63 "
        "top_logprobs: 20 }");
  }
  bool AllCallsEnd() const {
    for (int i = 0; i < 1000 && open_calls_ > 0; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return open_calls_ == 0;
  }
};

TEST_F(UnreadTest, AReaderThatTakesNothingWhileItRunsIsEnded) {
  env_.unread.max_age = absl::Milliseconds(200);
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(20)); };
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  Load();
  const auto stub = v1::SteeringService::NewStub(SmallWindow());
  grpc::ClientContext context;
  const auto reader = stub->Generate(&context, Request());
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"RESOURCE_EXHAUSTED\","
              "method=\"SteeringService/Generate\"}",
              "1"));
  EXPECT_TRUE(AllCallsEnd());
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
}

TEST_F(UnreadTest, AReaderThatNeverTakesTheEndIsGivenUp) {
  env_.unread.max_unread = 1000;
  env_.unread.max_age = absl::Seconds(2);  // It has long ended by then.
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  Load();
  const auto stub = v1::SteeringService::NewStub(SmallWindow());
  grpc::ClientContext context;
  const auto reader = stub->Generate(&context, Request());
  EXPECT_TRUE(
      Reaches("alignsae_rpc_in_flight{method=\"SteeringService/"
              "Generate\"}",
              "1"));
  EXPECT_TRUE(AllCallsEnd());
  v1::GenerateResponse event;
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(UnreadTest, AUnaryAnswerThatNobodyTakesIsGivenUpAndItsMemoryIsFree) {
  env_.unread.max_age = absl::Milliseconds(300);
  Load();
  grpc::GenericStub stub(SmallWindow());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareCall(&context, "/alignsae.v1.ModelService/Tokenize", &queue);
  void* tag = nullptr;
  bool ok = false;
  v1::TokenizeRequest request;
  request.set_text(std::string(4000, 'a'));
  const std::string bytes = request.SerializeAsString();
  const grpc::Slice slice(bytes);
  call->StartCall(this);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), this);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"OK\",method=\"ModelService/"
              "Tokenize\"}",
              "1"));
  EXPECT_GT(memory_.answers.used(), 4000);
  EXPECT_TRUE(AllCallsEnd());
  EXPECT_EQ(memory_.answers.used(), 0);
  queue.Shutdown();
}

// The threads that render are late, so that no message is under way: the reader
// is not slow.
TEST_F(UnreadTest, AReaderIsNotBlamedForAServerThatIsLate) {
  env_.unread.max_unread = 4;
  env_.unread.max_age = absl::Milliseconds(50);
  const auto free = std::make_shared<absl::Notification>();
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  int steps = 0;
  executor_.before_step = [&] {
    // Between two tokens every interactive thread gets something long to do.
    if (++steps == 2) {
      for (int i = 0; i < 2; ++i) {
        env_.lanes->interactive.Schedule(
            [free] { free->WaitForNotificationWithTimeout(absl::Seconds(5)); });
      }
    }
    if (steps == 40) free->Notify();
    absl::SleepFor(absl::Milliseconds(5));
  };
  Load();
  grpc::ClientContext context;
  const auto reader = steering_stub_->Generate(&context, Request());
  v1::GenerateResponse event;
  int messages = 0;
  while (reader->Read(&event)) ++messages;
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(messages, 66);  // `started`, 63 tokens, the end, the summary.
}

// Not every RESOURCE_EXHAUSTED is a slow reader: what was generated is told.
TEST_F(UnreadTest, WhatCameBeforeAFailureIsStillTold) {
  env_.unread.max_unread = 1000;
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  executor_.row_status = [](const StepRow& row) {
    return row.start >= 60 ? absl::ResourceExhaustedError("memory: is short")
                           : absl::OkStatus();
  };
  Load();
  const auto stub = v1::SteeringService::NewStub(SmallWindow());
  grpc::ClientContext context;
  const auto reader = stub->Generate(&context, Request());
  EXPECT_TRUE(Reaches("alignsae_generated_tokens_total", "60"));
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
  v1::GenerateResponse event;
  int tokens = 0;
  while (reader->Read(&event)) tokens += event.has_token() ? 1 : 0;
  EXPECT_EQ(tokens, 60);
  EXPECT_EQ(reader->Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(UnreadTest, MemoryThatRanOutIsNeitherAFullQueueNorASlowReader) {
  executor_.row_status = [](const StepRow& row) {
    return row.start == 0 ? absl::OkStatus()
                          : WithReason(absl::ResourceExhaustedError(
                                           "LibTorch: can't allocate memory"),
                                       kReasonMemory);
  };
  Load();
  grpc::ClientContext context;
  auto reader = steering_stub_->Generate(
      &context, FromText<v1::GenerateRequest>(
                    "prompt { token_ids { ids: 5 } } generation { "
                    "max_new_tokens: 9 ignore_eos: true }"));
  v1::GenerateResponse event;
  int tokens = 0;
  while (reader->Read(&event)) tokens += event.has_token() ? 1 : 0;
  EXPECT_EQ(tokens, 1);  // What was made before is told.
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr("out of memory"));
  EXPECT_THAT(status.error_message(),
              ::testing::Not(::testing::HasSubstr("LibTorch")));
  EXPECT_EQ(InfoOf(status).reason(), "MEMORY");
  EXPECT_EQ(Metric("alignsae_rejected_total{reason=\"queue_full\"}"), "0");
}

}  // namespace
}  // namespace alignsae
