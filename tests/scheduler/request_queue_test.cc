#include "model/scheduler/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/base/status_payload.h"
#include "tests/scheduler/queue_specs.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

TEST(RequestQueueTest, CountsSequencesAndTheTokensTheyMayNeed) {
  RequestQueue queue({});
  queue.Push(Request(Spec(3, 10, 5)));
  EXPECT_EQ(queue.sequences(), 3);
  EXPECT_EQ(queue.tokens(), 45);
  queue.Pop(Slots(1));
  EXPECT_EQ(queue.sequences(), 2);
  EXPECT_EQ(queue.tokens(), 30);
}

TEST(RequestQueueTest, RefusesMoreSequencesThanMayWait) {
  RequestQueue queue({.max_sequences = 2});
  queue.Push(Request(Spec(1, 1, 1)));
  EXPECT_OK(queue.MakeRoom(Spec(1, 1, 1)));
  const absl::Status refused = queue.MakeRoom(Spec(2, 1, 1)).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "queue: must hold at most 2 waiting sequences, "
                                "got 1 and 2 more"));
  EXPECT_EQ(ReasonOf(refused), "QUEUE_FULL");
}

TEST(RequestQueueTest, RefusesMoreTokensThanMayWait) {
  RequestQueue queue({.max_tokens = 20});
  queue.Push(Request(Spec(1, 10, 5)));
  const absl::Status refused = queue.MakeRoom(Spec(1, 5, 1)).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "queue: must hold at most 20 waiting tokens, "
                                "got 15 and 6 more"));
  EXPECT_EQ(ReasonOf(refused), "TOKEN_BUDGET");
}

TEST(RequestQueueTest, TakesALargeRequestWhenNobodyWaits) {
  EXPECT_OK(RequestQueue({.max_tokens = 20}).MakeRoom(Spec(1, 100, 1)));
}

TEST(RequestQueueTest, GivesOutSequencesOfABatchOneByOne) {
  RequestQueue queue({});
  queue.Push(Request(Spec(2, 1, 1)));
  EXPECT_THAT(queue.Pop(Slots(1))->sequences, testing::ElementsAre(0));
  EXPECT_FALSE(queue.Pop(Slots(0)).has_value());
  EXPECT_THAT(queue.Pop(Slots(1))->sequences, testing::ElementsAre(1));
}

TEST(RequestQueueTest, HoldsSequencesThatBelongTogetherUntilAllFit) {
  RequestQueue queue({});
  queue.Push(Request(Spec(2, 1, 1, Grouping::kTogether)));
  queue.Push(Request(Spec(1, 1, 1)));
  EXPECT_FALSE(queue.Pop(Slots(1)).has_value());  // The one behind waits too.
  EXPECT_THAT(queue.Pop(Slots(2))->sequences, testing::ElementsAre(0, 1));
  EXPECT_TRUE(queue.Pop(Slots(1)).has_value());
}

TEST(RequestQueueTest, ForgetsWhatIsRemoved) {
  RequestQueue queue({});
  queue.Push(Request(Spec(1, 10, 0)));
  const std::shared_ptr<ActiveRequest> doomed = Request(Spec(2, 7, 0));
  queue.Push(doomed);
  const std::vector<QueuedUnit> removed = queue.RemoveIf(
      [&](const ActiveRequest& request) { return &request == doomed.get(); });
  EXPECT_EQ(removed.size(), 2u);
  EXPECT_EQ(queue.sequences(), 1);
  EXPECT_EQ(queue.tokens(), 10);
}

TEST(RequestQueueTest, PredictsNoWaitWhileSlotsAreFree) {
  RequestQueue queue({});
  queue.RecordService(Single("a"), absl::Seconds(4), 8);
  EXPECT_EQ(
      queue.PredictWait(Spec(2, 1, 1), /*free=*/Slots(2), /*all=*/Slots(4)),
      absl::ZeroDuration());
}

TEST(RequestQueueTest, PredictsTheWaitFromHowLongSequencesRan) {
  RequestQueue queue({});
  EXPECT_EQ(queue.PredictWait(Spec(1, 1, 1), Slots(0), Slots(4)),
            absl::ZeroDuration());  // No evidence.
  queue.RecordService(Single("a"), absl::Seconds(4), 8);
  queue.Push(Request(Spec(3, 1, 1)));
  // Four sequences are ahead or new, four slots turn over every four seconds.
  EXPECT_EQ(queue.PredictWait(Spec(1, 1, 1), Slots(0), Slots(4)),
            absl::Seconds(4));
  queue.RecordService(Single("a"), absl::Seconds(14), 8);
  EXPECT_EQ(queue.PredictWait(Spec(1, 1, 1), Slots(0), Slots(4)),
            absl::Seconds(5));
}

// Neighbours who hold their slots for long must not make a small request look
// as if it had no time.
TEST(RequestQueueTest, PredictsSmallRequestsBySmallOnes) {
  const RequestSpec large = Spec(1, kSmallPrompt + 1, 8);
  RequestQueue queue({});
  queue.RecordService(large, absl::Seconds(40), 8);
  queue.Push(Request(Spec(3, 1, 8)));
  EXPECT_EQ(queue.PredictWait(Spec(1, 1, 8), Slots(0), Slots(4)),
            absl::ZeroDuration());
  EXPECT_EQ(queue.PredictRun(Spec(1, 1, 8)), absl::ZeroDuration());
  queue.RecordService(Spec(1, 1, 8), absl::Seconds(4), 8);
  EXPECT_EQ(queue.PredictWait(Spec(1, 1, 8), Slots(0), Slots(4)),
            absl::Seconds(4));
  EXPECT_EQ(queue.PredictRun(Spec(1, 1, 8)), absl::Seconds(4));
  EXPECT_EQ(queue.PredictWait(large, Slots(0), Slots(4)), absl::Seconds(40));
  EXPECT_EQ(queue.PredictRun(large), absl::Seconds(40));
}

TEST(RequestQueueTest, ClientThatIsNotServedMuchWaitsForItsOwnOnly) {
  RequestQueue queue({});
  queue.RecordService(Single("a"), absl::Seconds(4), 8);
  queue.Push(Request(Spec(20, 1, 1, Grouping::kSeparate, "many")));
  EXPECT_EQ(queue.PredictWait(Single("many"), Slots(0), Slots(4)),
            absl::Seconds(21));
  // Its one and one of the other's before it.
  EXPECT_EQ(queue.PredictWait(Single("one"), Slots(0), Slots(4)),
            absl::Seconds(2));
  // A name of another origin takes turns with all of this one's together.
  for (int i = 0; i < 10; ++i) queue.Push(Request(Single(std::to_string(i))));
  RequestSpec elsewhere = Single("many");
  elsewhere.origin = "elsewhere";
  EXPECT_EQ(queue.PredictWait(elsewhere, Slots(0), Slots(4)), absl::Seconds(2));
}

TEST(RequestQueueTest, PredictsTheRunFromWhatSequencesOfLateTook) {
  RequestQueue queue({});
  EXPECT_EQ(queue.PredictRun(Spec(1, 1, 5)), absl::ZeroDuration());
  queue.RecordService(Single("a"), absl::Seconds(4), 8);
  EXPECT_EQ(queue.PredictRun(Spec(1, 1, 100)), absl::Seconds(4));
  EXPECT_EQ(queue.PredictRun(Spec(1, 1, 2)), absl::Seconds(1));
}

TEST(RequestQueueTest, SplitsARequestThatTakesWhatIsFree) {
  RequestQueue queue({});
  queue.Push(Request(Spec(5, 2, 1, Grouping::kAsManyAsFit)));
  const std::optional<QueuedUnit> first = queue.Pop(Slots(3));
  EXPECT_THAT(first->sequences, testing::ElementsAre(0, 1, 2));
  EXPECT_EQ(first->tokens, 9);
  EXPECT_EQ(queue.sequences(), 2);
  EXPECT_EQ(queue.tokens(), 6);
  EXPECT_THAT(queue.Pop(Slots(3))->sequences, testing::ElementsAre(3, 4));
  EXPECT_TRUE(queue.empty());
}

TEST(RequestQueueTest, TakesWhatFillsItExactly) {
  RequestQueue queue({.max_sequences = 3, .max_tokens = 20});
  queue.Push(Request(Single("a", 10)));
  EXPECT_OK(queue.MakeRoom(Single("a", 10)));
  EXPECT_EQ(ReasonOf(queue.MakeRoom(Single("a", 11)).status()), "TOKEN_BUDGET");
  EXPECT_OK(queue.MakeRoom(Spec(2, 4, 1)));
  EXPECT_EQ(ReasonOf(queue.MakeRoom(Spec(3, 1, 1)).status()), "QUEUE_FULL");
}

// Sequences are bounded also when nobody waits.
TEST(RequestQueueTest, NeverHoldsMoreSequencesThanItMay) {
  RequestQueue queue({.max_sequences = 2});
  EXPECT_OK(queue.MakeRoom(Spec(2, 1, 1)));
  EXPECT_EQ(ReasonOf(queue.MakeRoom(Spec(3, 1, 1)).status()), "QUEUE_FULL");
}

TEST(RequestQueueTest, RemovesFromTheMiddleAndKeepsTheOrder) {
  RequestQueue queue({});
  std::vector<std::shared_ptr<ActiveRequest>> requests;
  for (int i = 0; i < 5; ++i) {
    requests.push_back(Request(Single("a", 10 + i)));
    queue.Push(requests.back());
  }
  int asked = 0;
  const auto removed = queue.RemoveIf([&](const ActiveRequest& request) {
    ++asked;
    return &request == requests[1].get() || &request == requests[3].get();
  });
  EXPECT_EQ(asked, 5);
  ASSERT_EQ(removed.size(), 2u);
  EXPECT_EQ(removed[0].request, requests[1]);
  EXPECT_EQ(removed[1].request, requests[3]);
  EXPECT_OK(queue.CheckInvariants());
  for (int i : {0, 2, 4}) EXPECT_EQ(queue.Pop(Slots(1))->request, requests[i]);
  EXPECT_TRUE(queue.empty());
}

TEST(RequestQueueTest, RemembersNobodyWhoDoesNotWait) {
  RequestQueue queue({});
  for (int i = 0; i < 1000; ++i) {
    queue.Push(Request(Single("name" + std::to_string(i))));
    if (i >= 3) queue.Pop(Slots(1));
    ASSERT_OK(queue.CheckInvariants());  // Everybody in the line waits.
  }
  std::vector<std::string> names;
  queue.ForEach([&names](const QueuedUnit& unit) {
    names.push_back(unit.request->spec.client);
  });
  EXPECT_THAT(names, testing::ElementsAre("name997", "name998", "name999"));
}

}  // namespace
}  // namespace alignsae
