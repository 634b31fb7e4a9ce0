// How a call's request comes to the scheduler.

#include "server/api/unary_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "model/base/status_payload.h"
#include "tests/api/api_fixture.h"
#include "tests/support/recording_sink.h"

namespace alignsae {
namespace {

class UnaryCallTest : public ApiTest {
 protected:
  static RequestSpec Tokens(int count) {
    RequestSpec spec;
    SequenceSpec& sequence = spec.sequences.emplace_back();
    sequence.prompt = {5};
    sequence.max_new_tokens = count;
    sequence.ignore_eos = true;
    sequence.interventions = std::make_shared<std::vector<Intervention>>();
    return spec;
  }
  CallScope Enter(const std::string& client,
                  absl::Time deadline = absl::InfiniteFuture()) {
    Caller caller;
    caller.client = client;
    caller.deadline = deadline;
    return EnterCall(MakeCall(kRpcSwap, caller)).value();
  }
  // Submitted as of `client`, and taken.
  std::shared_ptr<RecordingSink> Submit(const std::string& client, int tokens) {
    auto sink = std::make_shared<RecordingSink>();
    EXPECT_OK(Enter(client).Submit(Tokens(tokens), sink));
    return sink;
  }
  // One request of client "a" runs and stands still; its others fill the queue.
  std::vector<std::shared_ptr<RecordingSink>> FillQueue() {
    executor_.before_step = [&] {
      if (!running_.HasBeenNotified()) running_.Notify();
      go_.WaitForNotification();
    };
    Load();
    std::vector<std::shared_ptr<RecordingSink>> sinks = {Submit("a", 1)};
    running_.WaitForNotification();
    for (int i = 0; i < SchedulerOptions().queue.max_sequences; ++i) {
      sinks.push_back(Submit("a", 1));
    }
    return sinks;
  }

  absl::Notification running_, go_;
};

// With a full queue, asking for it would tell another client's request to go.
TEST_F(UnaryCallTest, WhatNobodyWaitsForIsNotSubmitted) {
  const auto others = FillQueue();
  const CallScope scope = Enter("b");
  scope.call->Cancel();  // As while it is parsed.
  EXPECT_EQ(scope.Submit(Tokens(1), std::make_shared<RecordingSink>())
                .status()
                .code(),
            absl::StatusCode::kCancelled);
  go_.Notify();
  for (const auto& other : others) {
    other->WaitUntilDone();
    EXPECT_OK(*other->done());
  }
}

TEST_F(UnaryCallTest, ItsClientTakesATurnAmongOthers) {
  const auto others = FillQueue();
  EXPECT_EQ(ReasonOf(Enter("a")
                         .Submit(Tokens(1), std::make_shared<RecordingSink>())
                         .status()),
            kReasonQueueFull);
  const auto fewer = std::make_shared<RecordingSink>();
  const absl::Status taken = Enter("b").Submit(Tokens(1), fewer).status();
  go_.Notify();
  ASSERT_OK(taken);  // "a" made room.
  fewer->WaitUntilDone();
  EXPECT_OK(*fewer->done());
  others.back()->WaitUntilDone();
  EXPECT_EQ(ReasonOf(*others.back()->done()), kReasonQueueFull);
}

TEST_F(UnaryCallTest, ItsRequestEndsAtItsDeadline) {
  Load();
  executor_.keep_steps = false;
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_OK(Enter("a", clock_.Now() + absl::Milliseconds(50))
                .Submit(Tokens(1 << 20), sink));
  sink->WaitUntilDone();
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(UnaryCallTest, ItsRequestEndsAtItsCancel) {
  Load();
  executor_.keep_steps = false;
  const CallScope scope = Enter("a");
  const auto sink = std::make_shared<RecordingSink>();
  ASSERT_OK(scope.Submit(Tokens(1 << 20), sink));
  scope.call->Cancel();
  sink->WaitUntilDone();
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
}

}  // namespace
}  // namespace alignsae
