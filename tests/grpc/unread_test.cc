// Streams that nobody reads.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/grpc/services_fixture.h"

namespace alignsae {
namespace {

// A stream whose reader takes nothing, behind a window that is soon full.
class UnreadTest : public ServicesTest {
 protected:
  std::unique_ptr<v1::SteeringService::Stub> SmallWindow() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 256);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return v1::SteeringService::NewStub(grpc::CreateCustomChannel(
        address_, grpc::InsecureChannelCredentials(), arguments));
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
  const auto stub = SmallWindow();
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
  const auto stub = SmallWindow();
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

}  // namespace
}  // namespace alignsae
