// The scheduler with its thread and many clients: for ThreadSanitizer.

#include "tests/support/step_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "model/scheduler/event_queue.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

RequestSpec Generate(int first, int tokens) {
  RequestSpec spec;
  SequenceSpec sequence;
  sequence.prompt = {first, 1, 2};
  sequence.max_new_tokens = tokens;
  sequence.interventions = std::make_shared<std::vector<Intervention>>();
  spec.sequences.push_back(sequence);
  return spec;
}

class StepThreadTest : public ::testing::Test {
 protected:
  RealClock clock_;
  FakeStepExecutor executor_{4};
  SchedulerObserver observer_;
  Scheduler scheduler_{{},
                       &executor_,
                       &clock_,
                       SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                       &observer_};
};

TEST_F(StepThreadTest, AnswersManyThreadsWhileOthersCancel) {
  StepThread thread(&scheduler_);
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([this, c] {
      for (int i = 0; i < 20; ++i) {
        auto sink = std::make_shared<RecordingSink>();
        absl::StatusOr<RequestHandle> handle =
            scheduler_.Submit(Generate(c, 5), sink);
        ASSERT_OK(handle);
        if (c % 2 == 0) handle->Cancel();
        sink->WaitUntilDone();
        if (c % 2 == 1) {
          EXPECT_EQ(sink->ids(), FakeStepExecutor::Continue({c, 1, 2}, 5));
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(scheduler_.WaitUntilIdle(absl::Seconds(10)));
}

TEST_F(StepThreadTest, StreamsThroughAnEventQueue) {
  StepThread thread(&scheduler_);
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  EventQueue queue({}, &clock_, [&] {
    MutexLock lock(&mutex);
    ready = true;
    changed.NotifyAll();
  });
  // The scheduler's share of the ownership is not the test's.
  const std::shared_ptr<RequestSink> sink(&queue, [](RequestSink*) {});
  ASSERT_OK(scheduler_.Submit(Generate(7, 50), sink));
  int tokens = 0;
  for (bool done = false; !done;) {
    {
      MutexLock lock(&mutex);
      while (!ready) changed.Wait(&mutex);
      ready = false;
    }
    while (std::optional<RequestEvent> event = queue.Pop()) {
      tokens += std::holds_alternative<TokenEvent>(*event) ? 1 : 0;
      done = done || std::holds_alternative<RequestDone>(*event);
    }
  }
  EXPECT_EQ(tokens, 50);
}

// Holds up who tells it that a sequence waits, for as long as a step may take.
class SlowObserver : public SchedulerObserver {
 public:
  void OnQueue(int sequences, int64_t tokens) override {
    if (sequences > 0 && !submitted.HasBeenNotified()) {
      submitted.Notify();
      stepped.WaitForNotificationWithTimeout(absl::Milliseconds(200));
    }
    last = sequences;
  }
  std::atomic<int> last{-1};
  absl::Notification submitted, stepped;
};

TEST(SchedulerObserverTest, WhatIsToldLastOfTheQueueIsHowItIs) {
  RealClock clock;
  FakeStepExecutor executor(4);
  SlowObserver observer;
  Scheduler scheduler({}, &executor, &clock,
                      SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                      &observer);
  std::thread stepping([&] {
    observer.submitted.WaitForNotification();
    scheduler.RunOneStep();
    observer.stepped.Notify();
  });
  ASSERT_OK(
      scheduler.Submit(Generate(1, 5), std::make_shared<RecordingSink>()));
  stepping.join();
  EXPECT_EQ(observer.last, 0);
}

TEST_F(StepThreadTest, StopEndsEveryRequest) {
  auto sink = std::make_shared<RecordingSink>();
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  StepThread thread(&scheduler_);
  RequestSpec endless = Generate(1, 1 << 20);
  ASSERT_OK(scheduler_.Submit(endless, sink));
  thread.Stop();
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(scheduler_.Submit(Generate(1, 1), sink).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace alignsae
