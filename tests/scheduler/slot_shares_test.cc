// Shares of KV slots between clients and origins, and turns between origins.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/base/status_payload.h"
#include "model/scheduler/admission.h"
#include "tests/scheduler/queue_specs.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

RequestSpec From(std::string origin, RequestSpec spec) {
  spec.origin = std::move(origin);
  return spec;
}

RequestSpec Sweep(int cells, std::string client) {
  return Spec(cells, 9, 1, Grouping::kAsManyAsFit, std::move(client));
}

// Eight slots: four for a client, six for an origin, while another waits.
class SlotSharesTest : public ::testing::Test {
 protected:
  void Take(RequestSpec spec) {
    EXPECT_OK(admission_.Take(std::move(spec),
                              std::make_shared<RecordingSink>(), now_));
  }
  // Starts what may start; nothing ends.
  void Run() {
    for (QueuedUnit& unit : admission_.GiveOut(Slots(free_), now_)) {
      const RequestSpec& spec = unit.request->spec;
      const int count = static_cast<int>(unit.sequences.size());
      held_[spec.origin + spec.client] += count;
      free_ -= count;
    }
  }

  absl::Time now_ = absl::FromUnixSeconds(1);
  int free_ = 8;
  std::map<std::string, int> held_;
  Admission admission_{
      {}, Slots(8), {.kept = 0, .of_client = 4, .of_origin = 6}};
};

TEST_F(SlotSharesTest, AClientAloneHasAll) {
  Take(Sweep(9, "a"));
  Run();
  EXPECT_EQ(held_["a"], 8);
}

TEST_F(SlotSharesTest, AnOriginKeepsItsOwnLimitAlsoAlone) {
  RequestSpec sweep = From("o", Sweep(9, "a"));
  sweep.max_slots = 3;
  Take(sweep);
  Run();
  EXPECT_EQ(held_["oa"], 3);
  Run();
  EXPECT_EQ(held_["oa"], 3);
  // Under another name too; another origin has the rest.
  sweep.client = "b";
  Take(sweep);
  Take(From("p", Sweep(9, "c")));
  Run();
  EXPECT_EQ(held_["ob"], 0);
  EXPECT_EQ(held_["pc"], 4);
}

// A quota of one slot does not keep two that must start together for ever.
TEST_F(SlotSharesTest, APairHasItsTwoSlotsAndNoHalfOfOne) {
  RequestSpec sweep = Sweep(4, "a");
  sweep.sequences[1].follows = 0;
  sweep.sequences[3].follows = 2;
  for (int slots : {1, 3}) {
    sweep.origin = slots == 1 ? "o" : "p";
    sweep.max_slots = slots;
    Take(sweep);
    Run();
    EXPECT_EQ(held_[sweep.origin + "a"], 2);
  }
}

TEST_F(SlotSharesTest, WhileAnotherWaitsAClientHasHalf) {
  Take(Sweep(20, "a"));
  Take(Sweep(20, "b"));
  Run();
  EXPECT_EQ(held_["a"], 4);
  EXPECT_EQ(held_["b"], 4);
}

TEST_F(SlotSharesTest, WhoWaitsNoMoreBindsNobody) {
  Take(Sweep(20, "a"));
  Take(Sweep(2, "b"));
  Run();
  EXPECT_EQ(held_["b"], 2);
  EXPECT_EQ(held_["a"], 6);
}

// Its origin alone had all; of what is free now nothing is for its new names.
TEST_F(SlotSharesTest, NewNamesShareWhatTheirOriginMayHave) {
  for (int i = 0; i < 12; ++i) Take(From("x", Single(std::to_string(i))));
  Run();
  free_ = 2;
  for (int i = 0; i < 2; ++i) Take(From("y", Single("me")));
  Run();
  EXPECT_EQ(held_["yme"], 2);
  free_ = 1;
  Run();  // Nobody else waits.
  int of_x = 0;
  for (const auto& [name, count] : held_) of_x += name[0] == 'x' ? count : 0;
  EXPECT_EQ(of_x, 8 + 1);
}

TEST_F(SlotSharesTest, MoreTogetherThanAShareRunsForOneThatHoldsNothing) {
  Take(Spec(6, 5, 5, Grouping::kTogether, "a"));
  Take(Spec(6, 5, 5, Grouping::kTogether, "a"));
  Take(Single("b"));
  Run();
  EXPECT_EQ(held_["a"], 6);
  EXPECT_EQ(held_["b"], 1);
}

TEST_F(SlotSharesTest, WhoHoldsItsShareIsPassedAndTheNextOneGoes) {
  for (int i = 0; i < 9; ++i) Take(Single("a"));
  Run();  // All eight.
  free_ = 2;
  Take(Single("b"));
  Take(Single("c"));
  Take(Single("d"));
  Run();
  EXPECT_EQ(held_["a"], 8);
  EXPECT_EQ(held_["b"] + held_["c"] + held_["d"], 2);
}

TEST(SlotRulesTest, FewSlotsHaveNoRules) {
  EXPECT_EQ(SlotRulesFor(3).kept, 0);
  EXPECT_EQ(SlotRulesFor(3).of_client, 0);
  const SlotRules rules = SlotRulesFor(16);
  EXPECT_EQ(rules.kept, 2);
  EXPECT_EQ(rules.of_client, 8);
  EXPECT_EQ(rules.of_origin, 12);
}

// Origins of the units in the order in which they come out.
std::string OriginTurns(RequestQueue& queue) {
  std::string turns;
  while (std::optional<QueuedUnit> unit = queue.Pop(Slots(100))) {
    turns += unit->request->spec.origin;
  }
  return turns;
}

TEST(OriginsTest, OriginsTakeTurnsHoweverManyNamesTheyHave) {
  RequestQueue queue({});
  for (int i = 0; i < 6; ++i) {
    queue.Push(Request(From("x", Single(std::to_string(i)))));
  }
  for (int i = 0; i < 2; ++i) queue.Push(Request(From("y", Single("me"))));
  EXPECT_EQ(OriginTurns(queue), "xyxyxxxx");
}

// A turn of an origin is as large as that of any other, over its names.
TEST(OriginsTest, SmallRequestsOfManyNamesShareATurn) {
  RequestQueue queue({});
  for (int i = 0; i < 6; ++i) {
    queue.Push(Request(From("x", Single(std::to_string(i), 10))));
  }
  for (int i = 0; i < 2; ++i) queue.Push(Request(From("y", Single("me", 30))));
  EXPECT_EQ(OriginTurns(queue), "xxxyxxxy");
}

// The turn of a name goes on where that of its origin ended.
TEST(OriginsTest, ANamesTurnGoesOnInTheNextOneOfItsOrigin) {
  RequestQueue queue({});
  queue.Push(Request(From("x", Single("a", 20))));
  for (int i = 0; i < 3; ++i) queue.Push(Request(From("x", Single("b", 10))));
  queue.Push(Request(From("x", Single("c", 30))));
  queue.Push(Request(From("y", Single("me", 30))));
  std::string turns;
  while (std::optional<QueuedUnit> unit = queue.Pop(Slots(1))) {
    turns += unit->request->spec.client.substr(0, 1);
  }
  EXPECT_EQ(turns, "abmbbc");
}

TEST(OriginsTest, AFullQueueMakesRoomForAnotherOriginAtTheOneWithMost) {
  RequestQueue queue({.max_sequences = 4});
  std::vector<std::shared_ptr<ActiveRequest>> of_x;
  for (int i = 0; i < 4; ++i) {
    of_x.push_back(Request(From("x", Single(std::to_string(i)))));
    queue.Push(of_x.back());
  }
  // A new name of the same origin has no more right than those.
  EXPECT_EQ(ReasonOf(queue.MakeRoom(From("x", Single("new"))).status()),
            "QUEUE_FULL");
  const auto displaced = queue.MakeRoom(From("y", Single("me")));
  ASSERT_OK(displaced);
  EXPECT_EQ(displaced->size(), 1u);
  EXPECT_EQ(displaced->front()->spec.origin, "x");
}

TEST(OriginsTest, WhatHasBegunIsPassedOverWhereOthersCanGiveWay) {
  RequestQueue queue({.max_sequences = 6});
  queue.Push(Request(From("x", Sweep(5, "a"))));
  queue.Pop(Slots(1));
  const auto waits = Request(From("x", Single("b")));
  queue.Push(waits);
  queue.Push(Request(From("x", Single("c"))));
  const auto displaced = queue.MakeRoom(From("y", Single("me")));
  ASSERT_OK(displaced);
  EXPECT_THAT(*displaced, ElementsAre(waits));
  EXPECT_OK(queue.CheckInvariants());
}

TEST(OriginsTest, WhereLargePlacesAreShortOnlyLargeRequestsGiveWay) {
  RequestQueue queue({.max_sequences = 8, .max_large = 4});
  const auto large = Request(From("x", Sweep(2, "a")));
  queue.Push(Request(From("x", Sweep(2, "a"))));
  queue.Push(large);
  for (int i = 0; i < 3; ++i) queue.Push(Request(From("x", Single("b"))));
  const auto displaced = queue.MakeRoom(From("y", Sweep(1, "me")));
  ASSERT_OK(displaced);
  EXPECT_THAT(*displaced, ElementsAre(large));
}

}  // namespace
}  // namespace alignsae
