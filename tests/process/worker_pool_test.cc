#include "server/process/worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "server/process/lanes.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Only against hanging.
constexpr absl::Duration kPatience = absl::Minutes(2);

// The calling thread's nice value and scheduling policy.
struct Standing {
  int nice = 0;
  int policy = 0;
};
Standing StandingOfThisThread() {
  const id_t thread = static_cast<id_t>(syscall(SYS_gettid));
  return {getpriority(PRIO_PROCESS, thread), sched_getscheduler(0)};
}
Standing StandingIn(WorkerPool& pool) {
  Standing standing;
  absl::Notification done;
  pool.Schedule([&] {
    standing = StandingOfThisThread();
    done.Notify();
  });
  done.WaitForNotification();
  return standing;
}

TEST(WorkerPoolTest, RefusesNewWorkWhenTooMuchWaitsButFinishesOldWork) {
  std::atomic<int> done{0};
  absl::Notification started, go;
  {
    WorkerPool pool(1, 2);
    EXPECT_TRUE(pool.TrySchedule({{}, [&] {
                                    started.Notify();
                                    go.WaitForNotification();
                                    ++done;
                                  }}));
    started.WaitForNotification();
    EXPECT_TRUE(pool.TrySchedule({{}, [&] { ++done; }}));
    EXPECT_TRUE(pool.TrySchedule({{}, [&] { ++done; }}));
    EXPECT_FALSE(pool.TrySchedule({{}, [&] { done += 100; }}));
    pool.Schedule([&] { ++done; });
    go.Notify();
  }
  EXPECT_EQ(done, 4);  // The pool ran what waited before it went.
}

TEST(WorkerPoolTest, WhatWasAdmittedGoesFirst) {
  std::vector<int> order;
  absl::Notification started, go;
  {
    WorkerPool pool(1, 100);
    pool.Schedule([&] {
      started.Notify();
      go.WaitForNotification();
    });
    started.WaitForNotification();
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(pool.TrySchedule({{}, [&] { order.push_back(0); }}));
    }
    pool.Schedule([&] { order.push_back(1); });
    go.Notify();
  }
  ASSERT_THAT(order, SizeIs(51));
  EXPECT_EQ(order.front(), 1);
}

TEST(WorkerPoolTest, EachQueueKeepsItsOrder) {
  std::vector<int> order;
  absl::Notification started, go;
  {
    WorkerPool pool(1, 100);
    pool.Schedule([&] {
      started.Notify();
      go.WaitForNotification();
    });
    started.WaitForNotification();
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(
          pool.TrySchedule({{}, [&order, i] { order.push_back(10 + i); }}));
      pool.Schedule([&order, i] { order.push_back(i); });
    }
    go.Notify();
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 10, 11, 12));
}

TEST(WorkerPoolTest, AdmittedWorkTakesNoPlaceOfNewWork) {
  std::atomic<int> done{0};
  absl::Notification started, go;
  {
    WorkerPool pool(1, 1);
    pool.Schedule([&] {
      started.Notify();
      go.WaitForNotification();
    });
    started.WaitForNotification();
    for (int i = 0; i < 5; ++i) pool.Schedule([&] { ++done; });
    EXPECT_TRUE(pool.TrySchedule({{}, [&] { ++done; }}));
    EXPECT_FALSE(pool.TrySchedule({{}, [&] { ++done; }}));
    go.Notify();
  }
  EXPECT_EQ(done, 6);
}

// Whoever has long work gives a thread back between its parts, and goes on with
// what it began before it begins more.
TEST(WorkerPoolTest, PartsOfLongWorkTakeTurnsWithOthers) {
  std::vector<std::string> order;
  absl::Notification started, go;
  {
    WorkerPool pool(1, 3);
    std::function<void(int)> part = [&](int i) {
      order.push_back("a" + std::to_string(i));
      if (i == 3) return;
      EXPECT_TRUE(pool.TrySchedule(
          {{"a", ""}, [&part, i] { part(i + 1); }, nullptr, true}));
    };
    pool.Schedule([&] {
      started.Notify();
      go.WaitForNotification();
    });
    started.WaitForNotification();
    EXPECT_TRUE(pool.TrySchedule({{"a", ""}, [&] { part(1); }}));
    EXPECT_TRUE(pool.TrySchedule({{"a", ""}, [&] { order.push_back("a-"); }}));
    EXPECT_TRUE(pool.TrySchedule({{"b", ""}, [&] { order.push_back("b"); }}));
    go.Notify();
    pool.Stop();  // Parts that are left are done first, also now.
  }
  EXPECT_THAT(order, ElementsAre("a1", "b", "a2", "a3", "a-"));
}

TEST(WorkerPoolTest, TakesNoNewWorkOnceStopped) {
  WorkerPool pool(1, 100);
  pool.Stop();
  EXPECT_FALSE(pool.TrySchedule({{}, [] {}}));
}

TEST(WorkerPoolTest, AnIdleThreadIsWokenByEitherKindOfWork) {
  WorkerPool pool(1, 100);
  for (int i = 0; i < 10; ++i) {
    absl::SleepFor(absl::Milliseconds(10));  // So that the thread waits.
    absl::Notification done;
    const auto notify = [&done] { done.Notify(); };
    if (i % 2 == 0) {
      pool.Schedule(notify);
    } else {
      ASSERT_TRUE(pool.TrySchedule({{}, notify}));
    }
    if (!done.WaitForNotificationWithTimeout(kPatience)) {
      pool.Stop();  // Runs what is left, which refers to `done`.
      FAIL() << "nobody woke at task " << i;
    }
  }
}

TEST(WorkerPoolTest, EveryThreadWorksAtOnce) {
  std::atomic<int> waiting{0};
  absl::Notification all;
  WorkerPool pool(3, 100);
  for (int i = 0; i < 3; ++i) {
    pool.Schedule([&] {
      if (++waiting == 3) all.Notify();
      EXPECT_TRUE(all.WaitForNotificationWithTimeout(kPatience));
    });
  }
  pool.Stop();
}

// One host's work leaves a thread to others, whatever names it has.
TEST(WorkerPoolTest, OneOriginNeverHasEveryThread) {
  absl::Notification both, another, go;
  std::atomic<int> running{0}, started{0};
  WorkerPool pool(3, 100, WorkerPool::Priority::kNormal, /*max_of_origin=*/2);
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(pool.TrySchedule({{"a", std::to_string(i)}, [&] {
                                    EXPECT_LE(++running, 2);
                                    if (++started == 2) both.Notify();
                                    go.WaitForNotification();
                                    --running;
                                  }}));
  }
  EXPECT_TRUE(both.WaitForNotificationWithTimeout(kPatience));
  ASSERT_TRUE(pool.TrySchedule({{"b", ""}, [&] { another.Notify(); }}));
  EXPECT_TRUE(another.WaitForNotificationWithTimeout(kPatience));
  go.Notify();
  pool.Stop();
  EXPECT_EQ(running, 0);
}

TEST(LanesTest, OnlyTheBackgroundHasLowPriority) {
  const Standing usual = StandingOfThisThread();
  Lanes lanes;
  const Standing interactive = StandingIn(lanes.interactive);
  EXPECT_EQ(interactive.nice, usual.nice);
  EXPECT_EQ(interactive.policy, usual.policy);
  const Standing background = StandingIn(lanes.background);
  EXPECT_EQ(background.nice, std::min(usual.nice + 10, 19));
  EXPECT_EQ(background.policy, SCHED_BATCH);
}

TEST(LanesTest, BackgroundWorkHandsItsCallsOverWhileTheyStop) {
  absl::Notification started, go;
  std::atomic<bool> ended{false};
  Lanes lanes({.background_waiting = 1 << 20});
  ASSERT_TRUE(lanes.background.TrySchedule({{}, [&] {
                                              started.Notify();
                                              go.WaitForNotification();
                                              lanes.interactive.Schedule(
                                                  [&] { ended = true; });
                                            }}));
  started.WaitForNotification();
  std::thread stopping([&] { lanes.Stop(); });
  // Whichever stops first, it has had time to end.
  while (lanes.background.TrySchedule({{}, [] {}}) &&
         lanes.interactive.TrySchedule({{}, [] {}})) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  absl::SleepFor(absl::Milliseconds(50));
  go.Notify();
  stopping.join();
  EXPECT_TRUE(ended);
}

// A pool whose one thread stands still, so that what is scheduled waits.
class WorkerPoolTurnsTest : public ::testing::Test {
 protected:
  explicit WorkerPoolTurnsTest(size_t max_waiting = 100)
      : pool_(1, max_waiting) {
    pool_.Schedule([this] {
      started_.Notify();
      go_.WaitForNotification();
    });
    started_.WaitForNotification();
  }

  bool Add(const std::string& origin, const std::string& name,
           std::function<bool()> may_start = nullptr) {
    return pool_.TrySchedule({{origin, name},
                              [this, origin, name] {
                                MutexLock lock(&mutex_);
                                order_.push_back(origin + name);
                              },
                              std::move(may_start)});
  }
  std::vector<std::string> Run() {
    if (!go_.HasBeenNotified()) go_.Notify();
    pool_.Stop();
    MutexLock lock(&mutex_);
    return order_;
  }
  size_t ran() {
    MutexLock lock(&mutex_);
    return order_.size();
  }

  absl::Notification started_, go_;
  Mutex mutex_;
  std::vector<std::string> order_;
  WorkerPool pool_;
};

TEST_F(WorkerPoolTurnsTest, ANewcomerWaitsForOneTaskOfEverybodyElse) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Add("a", "1"));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Add("b", "1"));
  EXPECT_TRUE(Add("c", "1"));
  EXPECT_THAT(Run(), ElementsAre("a1", "b1", "c1", "a1", "b1", "a1"));
}

TEST_F(WorkerPoolTurnsTest, ManyNamesOfOneOriginShareItsTurns) {
  for (const char* name : {"1", "2", "3", "4"}) EXPECT_TRUE(Add("a", name));
  EXPECT_TRUE(Add("a", "1"));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Add("b", ""));
  EXPECT_THAT(Run(), ElementsAre("a1", "b", "a2", "b", "a3", "a4", "a1"));
}

TEST_F(WorkerPoolTurnsTest, OneOriginLeavesAQuarterOfThePlacesToOthers) {
  for (int i = 0; i < 75; ++i) EXPECT_TRUE(Add("a", std::to_string(i)));
  EXPECT_FALSE(Add("a", "new"));
  for (int i = 0; i < 25; ++i) EXPECT_TRUE(Add("b", ""));
  EXPECT_FALSE(Add("b", ""));
  EXPECT_THAT(Run(), SizeIs(100));
}

TEST_F(WorkerPoolTurnsTest, WorkThatMayNotStartYetIsPassedOver) {
  std::atomic<bool> room{false};
  EXPECT_TRUE(Add("a", "", [&] { return room.load(); }));
  EXPECT_TRUE(Add("b", ""));
  EXPECT_TRUE(Add("c", ""));
  go_.Notify();
  while (ran() < 2) absl::SleepFor(absl::Milliseconds(1));
  room = true;
  pool_.Wake();
  while (ran() < 3) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_THAT(Run(), ElementsAre("b", "c", "a"));
}

TEST_F(WorkerPoolTurnsTest, APoolThatStopsRunsAlsoWhatMayNotStart) {
  EXPECT_TRUE(Add("a", "", [] { return false; }));
  EXPECT_THAT(Run(), ElementsAre("a"));
}

}  // namespace
}  // namespace alignsae
