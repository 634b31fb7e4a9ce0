// Requests start by the tokens that they hold of the KV cache.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/scheduler/admission.h"
#include "tests/scheduler/queue_specs.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Arms of one prompt of ten tokens, edited at those positions, with five more.
RequestSpec Arms(std::vector<int> edited, Grouping grouping) {
  RequestSpec spec = Spec(static_cast<int>(edited.size()), 10, 5, grouping);
  for (size_t i = 0; i < edited.size(); ++i) {
    Intervention edit;
    edit.positions.prompt = {edited[i]};
    spec.sequences[i].interventions =
        std::make_shared<std::vector<Intervention>>(1, edit);
  }
  return spec;
}

TEST(HeldByTest, WhatArmsShareIsHeldByTheFirst) {
  const RequestSpec spec = Arms({8, 4}, Grouping::kTogether);
  EXPECT_THAT(WritesOf(spec, {0, 1}),
              ElementsAre(KvRange{0, 15}, KvRange{4, 15}));
  EXPECT_EQ(HeldBy(spec, {0, 1}), (KvAmount{2, 26}));
  EXPECT_EQ(HeldBy(spec, {1}), (KvAmount{1, 15}));
  // Without edits they part at the last token.
  EXPECT_EQ(HeldBy(Spec(3, 10, 5, Grouping::kTogether), {0, 1, 2}),
            (KvAmount{3, 15 + 6 + 6}));
}

TEST(PartOfTest, OfASweepAsMuchAsFits) {
  const QueuedUnit unit = {
      Request(Arms({9, 9, 4}, Grouping::kAsManyAsFit)), {0, 1, 2}, 45};
  EXPECT_EQ(NeedOf(unit), (KvAmount{1, 15}));
  EXPECT_EQ(PartOf(unit, {3, 21}).sequences, 2);
  EXPECT_EQ(PartOf(unit, {3, 20}).sequences, 1);
  EXPECT_EQ(PartOf(unit, {1, 100}).sequences, 1);
  // The third parts them all at 4.
  EXPECT_EQ(PartOf(unit, {3, 36}).sequences, 2);
  EXPECT_EQ(PartOf(unit, {3, 37}).kv, (KvAmount{3, 37}));
  EXPECT_EQ(PartOf(unit, {3, 37}).tokens, 45);
  EXPECT_EQ(PartOf(unit, {3, 1}).sequences, 1);  // Never less than it needs.
}

class TokenAdmissionTest : public ::testing::Test {
 protected:
  absl::Status Take(RequestSpec spec) {
    return admission_
        .Take(std::move(spec), std::make_shared<RecordingSink>(), now_)
        .status();
  }
  // Clients of what starts.
  std::vector<std::string> Start(KvAmount free) {
    std::vector<std::string> clients;
    for (const QueuedUnit& unit : admission_.GiveOut(free, now_)) {
      clients.push_back(unit.request->spec.client);
    }
    return clients;
  }

  absl::Time now_ = absl::FromUnixSeconds(1);
  Admission admission_{{}, {8, 100}};
};

TEST_F(TokenAdmissionTest, ShortOnesFillTheSlotsAndLongOnesTheTokens) {
  for (int i = 0; i < 9; ++i) EXPECT_OK(Take(Single("s", 10)));
  EXPECT_THAT(Start({8, 100}), SizeIs(8));
  EXPECT_EQ(admission_.free(), (KvAmount{0, 20}));
  for (int i = 0; i < 3; ++i) EXPECT_OK(Take(Single("l", 50)));
  EXPECT_THAT(Start({8, 100}), SizeIs(2));
}

TEST_F(TokenAdmissionTest, ALongOneHoldsUpTheOthersUntilItFits) {
  EXPECT_OK(Take(Single("long", 60)));
  EXPECT_OK(Take(Single("short", 10)));
  EXPECT_THAT(Start({7, 59}), IsEmpty());
  EXPECT_THAT(Start({7, 70}), ElementsAre("long", "short"));
}

TEST_F(TokenAdmissionTest, ArmsThatNeverFitAreRefused) {
  EXPECT_OK(Take(Spec(2, 1, 49, Grouping::kTogether)));
  EXPECT_THAT(
      Take(Spec(2, 1, 50, Grouping::kTogether)),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               "arms: must fit into the 100 tokens of the server's KV cache "
               "with prompt and max_new_tokens, what they share counted once, "
               "got 102"));
  // What they share counts once.
  EXPECT_OK(Take(Spec(2, 80, 9, Grouping::kTogether)));
  // One by one they fit.
  EXPECT_OK(Take(Spec(2, 1, 99, Grouping::kAsManyAsFit)));
}

TEST_F(TokenAdmissionTest, AWaitIsPredictedByTheScarcerUnit) {
  admission_.RecordService(Single("a"), absl::Seconds(8), 1);
  admission_.SetFree({8, 0});
  RequestSpec spec = Single("a", 50);
  spec.deadline = now_ + absl::Seconds(4);
  EXPECT_THAT(Take(spec), StatusIs(absl::StatusCode::kResourceExhausted,
                                   testing::HasSubstr("to wait about 4s")));
}

TEST(KvRulesTest, SharesAreInBothUnits) {
  const KvRules rules = KvRulesFor(SlotRulesFor(64), {64, 16384});
  EXPECT_EQ(rules.kept, (KvAmount{2, 2 * (64 + 128)}));
  EXPECT_EQ(rules.of_client, (KvAmount{32, 8192}));
  EXPECT_EQ(rules.of_origin, (KvAmount{48, 12288}));
  EXPECT_EQ(KvRulesFor(SlotRulesFor(64), {64, 1024}).kept, (KvAmount{2, 128}));
}

TEST(KvSharesTest, WhileAnotherWaitsAClientHasItsShareOfTheTokens) {
  Admission admission({}, {8, 80}, {.of_client = 4});
  const absl::Time now = absl::FromUnixSeconds(1);
  for (const char* client : {"a", "a", "a", "b"}) {
    EXPECT_OK(admission.Take(Single(client, 20),
                             std::make_shared<RecordingSink>(), now));
  }
  std::vector<std::string> clients;
  for (const QueuedUnit& unit : admission.GiveOut({8, 70}, now)) {
    clients.push_back(unit.request->spec.client);
  }
  EXPECT_THAT(clients, testing::UnorderedElementsAre("a", "a", "b"));
}

// Eight slots and 400 tokens, of which 50 are kept.
class LongAmongShortTest : public SchedulerTest {
 protected:
  LongAmongShortTest() {
    options_.max_prompt_tokens_per_step = 512;
    options_.slots.kept = 2;
    options_.queue.max_sequences = 2000;
    options_.queue.max_tokens = 1000000;
  }
  std::shared_ptr<RecordingSink> Add(Scheduler& scheduler, int prompt,
                                     int tokens, std::string client) {
    RequestSpec spec = One(Generate(std::vector<int32_t>(prompt, 1), tokens));
    spec.sequences[0].ignore_eos = true;
    spec.client = std::move(client);
    auto sink = std::make_shared<RecordingSink>();
    EXPECT_OK(scheduler.Submit(std::move(spec), sink));
    return sink;
  }

  FakeStepExecutor executor_{8, 400};
};

// Small ones come for ever, and take all tokens that become free; what is not
// small starts when those before it have ended.
TEST_F(LongAmongShortTest, ALongOneGetsItsTurnAgainstAStreamOfShortOnes) {
  Scheduler scheduler(options_, &executor_, &clock_,
                      SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                      &observer_);
  int next = 0;
  const auto short_one = [&] {
    Add(scheduler, 40, 8 + next % 5, absl::StrCat("s", next % 7));
    ++next;
  };
  for (int i = 0; i < 8; ++i) short_one();
  scheduler.RunOneStep();
  const auto long_one = Add(scheduler, 200, 100, "long");
  int steps = 0;
  const auto runs = [&] {
    const auto running = scheduler.TakeCensus().running;
    return std::any_of(running.begin(), running.end(), [&](const auto& place) {
      return place.sink == long_one.get();
    });
  };
  while (!runs() && ++steps < 200) {
    for (int i = 0; i < 4; ++i) short_one();
    scheduler.RunOneStep();
    ASSERT_OK(scheduler.CheckInvariants());
  }
  EXPECT_LT(steps, 20);
}

TEST_F(LongAmongShortTest, AShortOneFindsTheTokensThatAreKept) {
  Scheduler scheduler(options_, &executor_, &clock_,
                      SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                      &observer_);
  for (int i = 0; i < 4; ++i) Add(scheduler, 20, 130, absl::StrCat("l", i));
  scheduler.RunOneStep();
  EXPECT_THAT(scheduler.TakeCensus().running, SizeIs(2));
  Add(scheduler, 20, 20, "short");
  scheduler.RunOneStep();
  EXPECT_THAT(scheduler.TakeCensus().running, SizeIs(3));
  while (scheduler.HasWork()) scheduler.RunOneStep();
}

// Memory that was taken and is not needed goes back when it is too much.
TEST_F(LongAmongShortTest, MemoryStaysWithinTheTokensWhateverSlotsHadIt) {
  options_.prefix_cache_tokens = 100;
  Scheduler scheduler(options_, &executor_, &clock_,
                      SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                      &observer_);
  executor_.trims = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 16; ++i) Add(scheduler, 10, 30, "short");
    for (int i = 0; i < 3; ++i) Add(scheduler, 250, 140, "long");
    while (scheduler.HasWork()) {
      scheduler.RunOneStep();
      ASSERT_OK(scheduler.CheckInvariants());
      ASSERT_LE(executor_.tokens_resident(), 400);
    }
  }
  EXPECT_GT(executor_.trims, 0);
}

TEST_F(LongAmongShortTest, ALoadWithinTheTokensTrimsNothing) {
  Scheduler scheduler(options_, &executor_, &clock_,
                      SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                      &observer_);
  executor_.trims = 0;
  for (int i = 0; i < 64; ++i) Add(scheduler, 20, 30, "short");
  while (scheduler.HasWork()) scheduler.RunOneStep();
  EXPECT_EQ(executor_.trims, 0);
}

}  // namespace
}  // namespace alignsae
