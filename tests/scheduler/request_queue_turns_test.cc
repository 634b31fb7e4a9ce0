// Turns between clients, and who gives way when the queue is full.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/base/status_payload.h"
#include "model/scheduler/request_queue.h"
#include "tests/scheduler/queue_specs.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

// Clients of the units in the order in which they come out.
std::string Turns(RequestQueue& queue) {
  std::string turns;
  while (std::optional<QueuedUnit> unit = queue.Pop(Slots(100))) {
    turns += unit->request->spec.client;
  }
  return turns;
}

TEST(TurnsTest, ClientsTakeTurns) {
  RequestQueue queue({});
  for (int i = 0; i < 4; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "a")));
  }
  for (int i = 0; i < 2; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "b")));
  }
  EXPECT_EQ(Turns(queue), "ababaa");
}

TEST(TurnsTest, TurnsAreMeasuredInTokens) {
  RequestQueue queue({});
  for (int i = 0; i < 2; ++i) {
    queue.Push(Request(Spec(1, 20, 10, Grouping::kSeparate, "a")));
  }
  for (int i = 0; i < 6; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "b")));
  }
  EXPECT_EQ(Turns(queue), "abbbabbb");
}

// Half of each of a's units need not be computed: three of 10 tokens in a turn
// of 20 instead of two.
TEST(TurnsTest, TurnsCountWhatIsNotSaved) {
  for (int64_t saved : {0, 5}) {
    RequestQueue queue({});
    for (int i = 0; i < 4; ++i) {
      queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "a")));
    }
    queue.Push(Request(Spec(1, 10, 10, Grouping::kSeparate, "b")));
    std::string turns;
    while (!queue.empty()) {
      queue.SettleTurn(Slots(100));
      const std::optional<QueuedUnit> unit =
          queue.PopFront(Slots(100), [saved](const QueuedUnit& of) {
            return of.request->spec.client == "a" ? saved : 0;
          });
      turns += unit->request->spec.client;
    }
    EXPECT_EQ(turns, saved == 0 ? "aabaa" : "aaaba");
  }
}

TEST(TurnsTest, ClientThatWasIdleHasNoCreditFromThen) {
  RequestQueue queue({});
  for (int i = 0; i < 3; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "a")));
  }
  queue.Pop(Slots(1));
  queue.Pop(Slots(1));
  for (int i = 0; i < 3; ++i) {
    queue.Push(Request(Spec(1, 5, 5, Grouping::kSeparate, "b")));
  }
  // Not all of b's before a's next.
  EXPECT_EQ(Turns(queue), "babb");
}

TEST(TurnsTest, FullQueueMakesRoomForAClientThatHasLess) {
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

TEST(TurnsTest, RequestThatHasBegunGivesNoWay) {
  RequestQueue queue({.max_sequences = 4});
  queue.Push(Request(Spec(5, 5, 5, Grouping::kAsManyAsFit, "a")));
  queue.Pop(Slots(1));
  EXPECT_THAT(queue.MakeRoom(Spec(1, 5, 5, Grouping::kSeparate, "b")),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
}

TEST(TurnsTest, ARefusedRequestTakesNobodysPlace) {
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

TEST(TurnsTest, SeveralGiveWayToOneWhenThatIsEnough) {
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
TEST(TurnsTest, NewNamesDoNotStarveAClientThatWasServed) {
  RequestQueue queue({});
  queue.Push(Request(Spec(1, 50, 50, Grouping::kSeparate, "v")));
  for (int i = 0; i < 3; ++i) {
    queue.Push(Request(Spec(1, 50, 50, Grouping::kSeparate, "w")));
  }
  queue.Pop(Slots(1));
  queue.Push(Request(Spec(1, 50, 50, Grouping::kSeparate, "v")));
  for (int i = 0; i < 2; ++i) {
    queue.Push(Request(
        Spec(1, 50, 50, Grouping::kSeparate, "new" + std::to_string(i))));
  }
  int waited = 0;
  for (; queue.Pop(Slots(1))->request->spec.client != "v"; ++waited) {
    ASSERT_LT(waited, 100) << "starved";
    queue.Push(Request(Spec(1, 50, 50, Grouping::kSeparate,
                            "newer" + std::to_string(waited))));
  }
  EXPECT_LE(waited, 3);  // Each of those that waited with it goes once.
}

// A client whose turn was not used up leaves nothing of it to the next one.
TEST(TurnsTest, EveryTurnBeginsAtZero) {
  RequestQueue queue({});
  queue.Push(Request(Single("a", 20)));
  for (int i = 0; i < 3; ++i) queue.Push(Request(Single("b", 10)));
  queue.Push(Request(Single("c", 30)));
  EXPECT_EQ(Turns(queue), "abbbc");
}

TEST(TurnsTest, AClientThatIsRemovedInItsTurnLeavesNothingOfIt) {
  RequestQueue queue({});
  for (int i = 0; i < 2; ++i) queue.Push(Request(Single("a", 20)));
  for (int i = 0; i < 3; ++i) queue.Push(Request(Single("b", 10)));
  queue.Push(Request(Single("c", 30)));
  EXPECT_EQ(queue.Pop(Slots(1))->request->spec.client, "a");
  queue.RemoveIf(
      [](const ActiveRequest& request) { return request.spec.client == "a"; });
  EXPECT_EQ(Turns(queue), "bbbc");
}

TEST(TurnsTest, AnotherOnesLeavingDoesNotLengthenATurn) {
  RequestQueue queue({});
  for (int i = 0; i < 3; ++i) queue.Push(Request(Single("a", 10)));
  queue.Push(Request(Single("b", 20)));
  queue.Push(Request(Single("x", 10)));
  EXPECT_EQ(queue.Pop(Slots(1))->request->spec.client, "a");
  queue.RemoveIf(
      [](const ActiveRequest& request) { return request.spec.client == "x"; });
  EXPECT_EQ(Turns(queue), "aba");
}

// What a turn holds follows what a sweep would take of the free KV slots.
TEST(TurnsTest, ASweepAndSingleSequencesShareTheFreeSlots) {
  RequestQueue queue({});
  for (int i = 0; i < 8; ++i) queue.Push(Request(Single("t", 10)));
  queue.Push(Request(Spec(8, 9, 1, Grouping::kAsManyAsFit, "s")));
  std::string turns;
  for (int round = 0; round < 4; ++round) {
    for (int free = 4; free > 0;) {
      const std::optional<QueuedUnit> unit = queue.Pop(Slots(free));
      ASSERT_TRUE(unit.has_value());
      free -= static_cast<int>(unit->sequences.size());
      turns.append(unit->sequences.size(), unit->request->spec.client[0]);
    }
  }
  EXPECT_EQ(turns, "ttssttssttssttss");
}

TEST(DisplacementTest, TheOtherOneKeepsAsManyAsTheNewcomerThenHas) {
  RequestQueue queue({.max_sequences = 2});
  const auto first = Request(Single("a"));
  const auto second = Request(Single("a"));
  queue.Push(first);
  queue.Push(second);
  const auto displaced = queue.MakeRoom(Single("b"));
  ASSERT_OK(displaced);
  EXPECT_THAT(*displaced, testing::ElementsAre(second));
  queue.Push(Request(Single("b")));
  // Equal: nobody gives way, whoever asks.
  for (const char* client : {"a", "b", "c"}) {
    EXPECT_EQ(ReasonOf(queue.MakeRoom(Single(client)).status()), "QUEUE_FULL");
  }
  EXPECT_EQ(queue.sequences(), 2);
}

TEST(DisplacementTest, OfEqualClientsTheOneWhoseTurnIsNextGivesWay) {
  RequestQueue queue({.max_sequences = 4});
  std::vector<std::shared_ptr<ActiveRequest>> requests;
  for (const char* client : {"a", "a", "b", "b"}) {
    requests.push_back(Request(Single(client)));
    queue.Push(requests.back());
  }
  const auto displaced = queue.MakeRoom(Single("c"));
  ASSERT_OK(displaced);
  EXPECT_THAT(*displaced, testing::ElementsAre(requests[1]));
  EXPECT_EQ(queue.sequences(), 3);
  EXPECT_OK(queue.CheckInvariants());
}

TEST(DisplacementTest, TokensThatAreShortDisplaceToo) {
  RequestQueue queue({.max_tokens = 30});
  std::vector<std::shared_ptr<ActiveRequest>> requests;
  for (int i = 0; i < 3; ++i) {
    requests.push_back(Request(Single("a", 10)));
    queue.Push(requests.back());
  }
  const auto displaced = queue.MakeRoom(Single("b", 11));
  ASSERT_OK(displaced);
  EXPECT_THAT(*displaced, testing::ElementsAre(requests[2], requests[1]));
  EXPECT_EQ(queue.tokens(), 10);
}

TEST(DisplacementTest, OneThatCanNeverFitDisplacesNobody) {
  RequestQueue queue({.max_sequences = 4, .max_tokens = 40});
  for (int i = 0; i < 4; ++i) queue.Push(Request(Single("a", 10)));
  EXPECT_EQ(ReasonOf(queue.MakeRoom(Single("b", 41)).status()), "QUEUE_FULL");
  EXPECT_EQ(ReasonOf(queue.MakeRoom(Spec(5, 1, 1)).status()), "QUEUE_FULL");
  EXPECT_EQ(queue.sequences(), 4);
}

}  // namespace
}  // namespace alignsae
