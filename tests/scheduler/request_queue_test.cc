#include "model/scheduler/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/base/status_payload.h"
#include "tests/support/recording_sink.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

RequestSpec Spec(int sequences, int prompt, int max_new_tokens,
                 Grouping grouping = Grouping::kSeparate,
                 std::string client = "") {
  RequestSpec spec;
  spec.grouping = grouping;
  spec.client = std::move(client);
  for (int i = 0; i < sequences; ++i) {
    SequenceSpec sequence;
    sequence.prompt.assign(prompt, 1);
    sequence.max_new_tokens = max_new_tokens;
    sequence.interventions = std::make_shared<std::vector<Intervention>>();
    spec.sequences.push_back(std::move(sequence));
  }
  return spec;
}

std::shared_ptr<ActiveRequest> Request(RequestSpec spec) {
  return std::make_shared<ActiveRequest>(std::move(spec),
                                         std::make_shared<RecordingSink>(),
                                         absl::FromUnixSeconds(1));
}

TEST(RequestQueueTest, CountsSequencesAndTheTokensTheyMayNeed) {
  RequestQueue queue({});
  queue.Push(Request(Spec(3, 10, 5)));
  EXPECT_EQ(queue.sequences(), 3);
  EXPECT_EQ(queue.tokens(), 45);
  queue.Pop(1);
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
  EXPECT_THAT(queue.Pop(1)->sequences, testing::ElementsAre(0));
  EXPECT_FALSE(queue.Pop(0).has_value());
  EXPECT_THAT(queue.Pop(1)->sequences, testing::ElementsAre(1));
}

TEST(RequestQueueTest, HoldsSequencesThatBelongTogetherUntilAllFit) {
  RequestQueue queue({});
  queue.Push(Request(Spec(2, 1, 1, Grouping::kTogether)));
  queue.Push(Request(Spec(1, 1, 1)));
  EXPECT_FALSE(queue.Pop(1).has_value());  // The one behind waits too.
  EXPECT_THAT(queue.Pop(2)->sequences, testing::ElementsAre(0, 1));
  EXPECT_TRUE(queue.Pop(1).has_value());
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
  queue.RecordService(absl::Seconds(4), 8);
  EXPECT_EQ(queue.PredictWait("", 2, /*free_slots=*/2, /*slots=*/4),
            absl::ZeroDuration());
}

TEST(RequestQueueTest, PredictsTheWaitFromHowLongSequencesRan) {
  RequestQueue queue({});
  EXPECT_EQ(queue.PredictWait("", 1, 0, 4),
            absl::ZeroDuration());  // No evidence.
  queue.RecordService(absl::Seconds(4), 8);
  queue.Push(Request(Spec(3, 1, 1)));
  // Four sequences are ahead or new, four slots turn over every four seconds.
  EXPECT_EQ(queue.PredictWait("", 1, 0, 4), absl::Seconds(4));
  queue.RecordService(absl::Seconds(14), 8);
  EXPECT_EQ(queue.PredictWait("", 1, 0, 4), absl::Seconds(5));
}

TEST(RequestQueueTest, ClientThatIsNotServedMuchWaitsForItsOwnOnly) {
  RequestQueue queue({});
  queue.RecordService(absl::Seconds(4), 8);
  queue.Push(Request(Spec(20, 1, 1, Grouping::kSeparate, "many")));
  EXPECT_EQ(queue.PredictWait("many", 1, 0, 4), absl::Seconds(21));
  // Its one and one of the other's before it.
  EXPECT_EQ(queue.PredictWait("one", 1, 0, 4), absl::Seconds(2));
}

TEST(RequestQueueTest, PredictsTheRunFromWhatSequencesOfLateTook) {
  RequestQueue queue({});
  EXPECT_EQ(queue.PredictRun(Spec(1, 1, 5)), absl::ZeroDuration());
  queue.RecordService(absl::Seconds(4), 8);
  EXPECT_EQ(queue.PredictRun(Spec(1, 1, 100)), absl::Seconds(4));
  EXPECT_EQ(queue.PredictRun(Spec(1, 1, 2)), absl::Seconds(1));
}

TEST(RequestQueueTest, SplitsARequestThatTakesWhatIsFree) {
  RequestQueue queue({});
  queue.Push(Request(Spec(5, 2, 1, Grouping::kAsManyAsFit)));
  const std::optional<QueuedUnit> first = queue.Pop(3);
  EXPECT_THAT(first->sequences, testing::ElementsAre(0, 1, 2));
  EXPECT_EQ(first->tokens, 9);
  EXPECT_EQ(queue.sequences(), 2);
  EXPECT_EQ(queue.tokens(), 6);
  EXPECT_THAT(queue.Pop(3)->sequences, testing::ElementsAre(3, 4));
  EXPECT_TRUE(queue.empty());
}

// Clients of the units in the order in which they come out.
std::string Turns(RequestQueue& queue) {
  std::string turns;
  while (std::optional<QueuedUnit> unit = queue.Pop(100)) {
    turns += unit->request->spec.client;
  }
  return turns;
}

TEST(RequestQueueTest, ClientsTakeTurns) {
  RequestQueue queue({});
  for (int i = 0; i < 4; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "a")));
  }
  for (int i = 0; i < 2; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "b")));
  }
  EXPECT_EQ(Turns(queue), "ababaa");
}

TEST(RequestQueueTest, TurnsAreMeasuredInTokens) {
  RequestQueue queue({});
  for (int i = 0; i < 2; ++i) {
    queue.Push(Request(Spec(1, 20, 10, Grouping::kSeparate, "a")));
  }
  for (int i = 0; i < 6; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "b")));
  }
  EXPECT_EQ(Turns(queue), "abbbabbb");
}

TEST(RequestQueueTest, ClientThatWasIdleHasNoCreditFromThen) {
  RequestQueue queue({});
  for (int i = 0; i < 3; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "a")));
  }
  queue.Pop(1);
  queue.Pop(1);
  for (int i = 0; i < 3; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "b")));
  }
  // Not all of b's before a's next.
  EXPECT_EQ(Turns(queue), "babb");
}

TEST(RequestQueueTest, FullQueueMakesRoomForAClientThatHasLess) {
  RequestQueue queue({.max_sequences = 4});
  std::vector<std::shared_ptr<ActiveRequest>> of_a;
  for (int i = 0; i < 4; ++i) {
    of_a.push_back(Request(Spec(1, 5, 5, Grouping::kSeparate, "a")));
    queue.Push(of_a.back());
  }
  EXPECT_THAT(queue.MakeRoom(Spec(1, 5, 5, Grouping::kSeparate, "a")),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
  for (int i = 0; i < 2; ++i) {
    const RequestSpec of_b = Spec(1, 5, 5, Grouping::kSeparate, "b");
    const auto displaced = queue.MakeRoom(of_b);
    ASSERT_OK(displaced);
    // The newest of the one with the most.
    EXPECT_THAT(*displaced, testing::ElementsAre(of_a[3 - i]));
    queue.Push(Request(of_b));
  }
  EXPECT_EQ(queue.sequences(), 4);
  EXPECT_THAT(queue.MakeRoom(Spec(1, 5, 5, Grouping::kSeparate, "b")),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
}

TEST(RequestQueueTest, RequestThatHasBegunGivesNoWay) {
  RequestQueue queue({.max_sequences = 4});
  queue.Push(Request(Spec(5, 5, 5, Grouping::kAsManyAsFit, "a")));
  queue.Pop(1);
  EXPECT_THAT(queue.MakeRoom(Spec(1, 5, 5, Grouping::kSeparate, "b")),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
}

TEST(RequestQueueTest, ARefusedRequestTakesNobodysPlace) {
  RequestQueue queue({.max_sequences = 4});
  queue.Push(Request(Spec(3, 5, 5, Grouping::kTogether, "a")));
  queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "a")));
  // The single one could give way, but that is not enough.
  EXPECT_THAT(queue.MakeRoom(Spec(2, 5, 5, Grouping::kTogether, "b")),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
  EXPECT_EQ(queue.sequences(), 4);
  EXPECT_EQ(queue.tokens(), 40);
  EXPECT_EQ(Turns(queue), "aa");
}

TEST(RequestQueueTest, SeveralGiveWayToOneWhenThatIsEnough) {
  RequestQueue queue({.max_sequences = 4});
  std::vector<std::shared_ptr<ActiveRequest>> of_a;
  for (int i = 0; i < 4; ++i) {
    of_a.push_back(Request(Spec(1, 5, 5, Grouping::kSeparate, "a")));
    queue.Push(of_a.back());
  }
  const auto displaced =
      queue.MakeRoom(Spec(2, 5, 5, Grouping::kTogether, "b"));
  ASSERT_OK(displaced);
  EXPECT_THAT(*displaced, testing::ElementsAre(of_a[3], of_a[2]));
  EXPECT_EQ(queue.sequences(), 2);
  EXPECT_EQ(queue.tokens(), 20);
}

// Somebody who was served comes back while names that were never seen before
// keep coming: it must not wait for all of them.
TEST(RequestQueueTest, NewNamesDoNotStarveAClientThatWasServed) {
  RequestQueue queue({});
  queue.Push(Request(Spec(1, 50, 50, Grouping::kSeparate, "v")));
  for (int i = 0; i < 3; ++i) {
    queue.Push(Request(Spec(1, 50, 50, Grouping::kSeparate, "w")));
  }
  queue.Pop(1);
  queue.Push(Request(Spec(1, 50, 50, Grouping::kSeparate, "v")));
  for (int i = 0; i < 2; ++i) {
    queue.Push(Request(
        Spec(1, 50, 50, Grouping::kSeparate, "new" + std::to_string(i))));
  }
  int waited = 0;
  for (; queue.Pop(1)->request->spec.client != "v"; ++waited) {
    ASSERT_LT(waited, 100) << "starved";
    queue.Push(Request(Spec(1, 50, 50, Grouping::kSeparate,
                            "newer" + std::to_string(waited))));
  }
  EXPECT_LE(waited, 3);  // Each of those that waited with it goes once.
}

}  // namespace
}  // namespace alignsae
