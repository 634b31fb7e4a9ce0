// What a call is told that finds its lane full.

#include "server/api/enter_lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "model/base/status_payload.h"
#include "server/api/model_rpcs.h"
#include "server/api/steering_rpcs.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class EnterLaneTest : public ApiTest {
 protected:
  // Go() before the lanes stop.
  ~EnterLaneTest() override { Go(); }

  // Until nothing more is taken, of a thousand hosts.
  void Fill(WorkerPool& pool) {
    int host = 0;
    while (pool.TrySchedule({{absl::StrCat("host", ++host), ""},
                             [this] { go_.WaitForNotification(); }})) {
    }
  }
  void Go() {
    if (!go_.HasBeenNotified()) go_.Notify();
  }
  std::string Refused() {
    return Metric("alignsae_rejected_total{reason=\"queue_full\"}");
  }

 private:
  absl::Notification go_;
};

TEST_F(EnterLaneTest, AFullLaneIsCountedAndSaysWhenToTryAgain) {
  const std::shared_ptr<Call> call = MakeCall(kRpcSwap);
  for (const bool background : {false, true}) {
    Fill(background ? lanes_.background : lanes_.interactive);
    const absl::Status status =
        EnterLane(*call, background ? Lane::kBackground : Lane::kInteractive,
                  1000, [] { ADD_FAILURE() << "ran"; });
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(status), kReasonQueueFull);
    EXPECT_EQ(RetryAfterOf(status),
              background ? absl::Seconds(5) : absl::Milliseconds(200));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(background ? "long work" : "to be parsed"));
    EXPECT_EQ(Refused(), background ? "2" : "1");
    EXPECT_EQ(memory_.requests.used(), 0);
  }
}

TEST_F(EnterLaneTest, ALargeAnswerHearsOfTheBackgroundLane) {
  Fill(lanes_.background);
  v1::TokenizeRequest request;
  request.set_text(std::string(env_.config.limits.max_prompt_bytes, 'a'));
  v1::TokenizeResponse response;
  const WireStatus status =
      Run(&Tokenize, MakeCall(kRpcTokenize), request, &response);
  EXPECT_EQ(status.code, absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message, HasSubstr("long work"));
  EXPECT_EQ(status.retry_pushback, "5000");
}

TEST_F(EnterLaneTest, AStreamThatFindsTheLaneFullEndsWithoutAMessage) {
  Fill(lanes_.interactive);
  const auto request = FromText<v1::GenerateRequest>("prompt { text: 'a' }");
  const auto sink =
      std::make_shared<CollectingSink<v1::GenerateResponse>>(&lanes_);
  const auto stream = Generate(MakeCall(kRpcGenerate), &request, sink);
  sink->stream = stream;
  stream->Begin();
  sink->ended.WaitForNotification();
  EXPECT_THAT(sink->status.message, HasSubstr("to be parsed"));
  EXPECT_EQ(sink->give_ups, 1);
  EXPECT_TRUE(sink->messages.empty());
  EXPECT_EQ(Refused(), "1");
}

}  // namespace
}  // namespace alignsae
