#include "server/process/worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "absl/synchronization/notification.h"

namespace alignsae {
namespace {

using ::testing::SizeIs;

TEST(WorkerPoolTest, RefusesNewWorkWhenTooMuchWaitsButFinishesOldWork) {
  std::atomic<int> done{0};
  absl::Notification started, go;
  {
    WorkerPool pool(1, 2);
    EXPECT_TRUE(pool.TrySchedule([&] {
      started.Notify();
      go.WaitForNotification();
      ++done;
    }));
    started.WaitForNotification();
    EXPECT_TRUE(pool.TrySchedule([&] { ++done; }));
    EXPECT_TRUE(pool.TrySchedule([&] { ++done; }));
    EXPECT_FALSE(pool.TrySchedule([&] { done += 100; }));
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
      EXPECT_TRUE(pool.TrySchedule([&] { order.push_back(0); }));
    }
    pool.Schedule([&] { order.push_back(1); });
    go.Notify();
  }
  ASSERT_THAT(order, SizeIs(51));
  EXPECT_EQ(order.front(), 1);
}

}  // namespace
}  // namespace alignsae
