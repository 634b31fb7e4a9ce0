#include "model/scheduler/endings.h"

#include <gtest/gtest.h>

#include <optional>

#include "model/base/status_payload.h"

namespace alignsae {
namespace {

TEST(EndingsTest, EachRefusalIsCountedUnderItsReason) {
  const auto full = [](const char* reason) {
    return WithReason(absl::ResourceExhaustedError("queue: is full"), reason);
  };
  EXPECT_EQ(RejectReasonOf(full(kReasonQueueFull)), RejectReason::kQueueFull);
  EXPECT_EQ(RejectReasonOf(full(kReasonTokenBudget)),
            RejectReason::kTokenBudget);
  EXPECT_EQ(RejectReasonOf(Displaced()), RejectReason::kQueueFull);
  EXPECT_EQ(RejectReasonOf(Draining()), RejectReason::kDraining);
  EXPECT_EQ(RejectReasonOf(Hopeless()), RejectReason::kDeadline);
  EXPECT_EQ(RejectReasonOf(DeadlinePassed()), RejectReason::kDeadline);
  EXPECT_EQ(RejectReasonOf(DeadlineTooSoon({}, {}, {})),
            RejectReason::kDeadline);
}

TEST(EndingsTest, OnlyASlowReaderIsASlowReader) {
  EXPECT_EQ(ReasonOf(SlowReader()), kReasonSlowReader);
  for (const absl::Status& other :
       {Displaced(), Draining(), Hopeless(), DeadlinePassed(),
        DeadlineTooSoon({}, {}, {}), TooManyTogether(1, 2)}) {
    EXPECT_NE(ReasonOf(other), kReasonSlowReader) << other;
  }
}

TEST(EndingsTest, WhatGaveWaySaysWhenToTryAgain) {
  EXPECT_EQ(RetryAfterOf(Displaced()), absl::Seconds(1));
  EXPECT_EQ(RetryAfterOf(Hopeless()), absl::Seconds(1));
  EXPECT_EQ(RetryAfterOf(SlowReader()), std::nullopt);
}

}  // namespace
}  // namespace alignsae
