#include "model/scheduler/event_queue.h"

#include <gtest/gtest.h>

#include <optional>
#include <variant>

#include "tests/support/fake_clock.h"

namespace alignsae {
namespace {

class EventQueueTest : public ::testing::Test {
 protected:
  bool Put(int position) {
    TokenEvent event;
    event.position = position;
    return queue_.Deliver(event);
  }
  int PopPosition() { return std::get<TokenEvent>(*queue_.Pop()).position; }

  FakeClock clock_;
  int ready_ = 0;
  EventQueue queue_{{.max_unread = 2, .max_age = absl::Seconds(10)},
                    &clock_,
                    [this] { ++ready_; }};
};

TEST_F(EventQueueTest, HandsOutEventsInOrder) {
  Put(1);
  Put(2);
  EXPECT_EQ(PopPosition(), 1);
  EXPECT_EQ(PopPosition(), 2);
  EXPECT_FALSE(queue_.Pop().has_value());
}

TEST_F(EventQueueTest, TellsTheReaderOnlyWhenItWasEmpty) {
  Put(1);
  Put(2);
  EXPECT_EQ(ready_, 1);
  queue_.Pop();
  queue_.Pop();
  Put(3);
  EXPECT_EQ(ready_, 2);
}

TEST_F(EventQueueTest, SaysThatTheReaderIsTooSlowWhenFull) {
  queue_.BeginWrite();
  EXPECT_TRUE(Put(1));
  EXPECT_TRUE(Put(2));
  EXPECT_FALSE(Put(3));
  queue_.Pop();
  EXPECT_TRUE(Put(4));
  EXPECT_FALSE(Put(5));
  EXPECT_EQ(PopPosition(), 2);
  EXPECT_EQ(PopPosition(), 4);
  EXPECT_FALSE(queue_.Pop().has_value());  // The refused ones are not in it.
}

TEST_F(EventQueueTest, WhatCameWhileTheServerWasLateDoesNotFillIt) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Put(i));
  queue_.BeginWrite();
  EXPECT_TRUE(Put(5));
  EXPECT_TRUE(Put(6));
  EXPECT_FALSE(Put(7));
  // Reading what does not count makes no room.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(PopPosition(), i);
  EXPECT_FALSE(Put(7));
  EXPECT_EQ(PopPosition(), 5);
  EXPECT_TRUE(Put(7));
}

TEST_F(EventQueueTest, TakesTheEndHoweverFullItIs) {
  Put(1);
  Put(2);
  EXPECT_TRUE(queue_.Deliver(SequenceFinished{}));
  EXPECT_TRUE(queue_.Deliver(RequestDone{absl::OkStatus()}));
}

TEST_F(EventQueueTest, TellsOfTheEndThoughItIsUnread) {
  Put(1);
  EXPECT_EQ(queue_.end(), std::nullopt);
  queue_.Deliver(RequestDone{absl::CancelledError("gone")});
  EXPECT_EQ(ready_, 2);
  ASSERT_TRUE(queue_.end().has_value());
  EXPECT_EQ(queue_.end()->code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(PopPosition(), 1);
}

TEST_F(EventQueueTest, StallsWhenTheOldestEventIsUnreadForTooLong) {
  queue_.BeginWrite();
  EXPECT_FALSE(queue_.IsStalled(clock_.Now() + absl::Hours(1)));  // None.
  Put(1);
  clock_.Advance(absl::Seconds(9));
  Put(2);
  EXPECT_FALSE(queue_.IsStalled(clock_.Now()));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(queue_.IsStalled(clock_.Now()));
  queue_.Pop();  // The other one is a second old.
  EXPECT_FALSE(queue_.IsStalled(clock_.Now()));
}

TEST_F(EventQueueTest, AServerThatIsLateMakesNobodySlow) {
  Put(1);
  Put(2);
  clock_.Advance(absl::Hours(1));
  EXPECT_FALSE(queue_.IsStalled(clock_.Now()));
  EXPECT_EQ(PopPosition(), 1);
  queue_.BeginWrite();  // From here on the peer has its time.
  EXPECT_FALSE(queue_.IsStalled(clock_.Now()));
  clock_.Advance(absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_FALSE(queue_.IsStalled(clock_.Now()));
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_TRUE(queue_.IsStalled(clock_.Now()));
  queue_.EndWrite();
  EXPECT_FALSE(queue_.IsStalled(clock_.Now() + absl::Hours(1)));
}

}  // namespace
}  // namespace alignsae
