// What a call is told that finds its lane full.

#include "server/api/enter_lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
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

  // Until all of its `threads` are held and nothing more is taken, of a host
  // for each task.
  void Fill(WorkerPool& pool, int threads) {
    const auto held = std::make_shared<std::atomic<int>>(0);
    const auto fill = [&] {
      while (
          pool.TrySchedule({{absl::StrCat("host", ++hosts_), ""}, [this, held] {
                              ++*held;
                              go_.WaitForNotification();
                            }})) {
      }
    };
    while (*held < threads) {
      fill();
      absl::SleepFor(absl::Milliseconds(1));
    }
    fill();
  }
  void Go() {
    if (!go_.HasBeenNotified()) go_.Notify();
  }
  std::string Refused() {
    return Metric("alignsae_rejected_total{reason=\"queue_full\"}");
  }

 private:
  absl::Notification go_;
  int hosts_ = 0;
};

TEST_F(EnterLaneTest, AFullLaneIsCountedAndSaysWhenToTryAgain) {
  const std::shared_ptr<Call> call = MakeCall(kRpcSwap);
  for (const bool background : {false, true}) {
    background ? Fill(lanes_.background, 1) : Fill(lanes_.interactive, 2);
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
  Fill(lanes_.background, 1);
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
  Fill(lanes_.interactive, 2);
  const auto request = FromText<v1::GenerateRequest>("prompt { text: 'a' }");
  const auto sink = RunStream(&Generate, MakeCall(kRpcGenerate), request);
  EXPECT_THAT(sink->status.message, HasSubstr("to be parsed"));
  EXPECT_EQ(sink->give_ups, 1);
  EXPECT_TRUE(sink->messages.empty());
  EXPECT_EQ(Refused(), "1");
}

}  // namespace
}  // namespace alignsae
