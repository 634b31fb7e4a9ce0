#include "server/scheduler/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "server/scheduler/status_payload.h"
#include "tests/support/recording_sink.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

RequestSpec Spec(int sequences, int prompt, int max_new_tokens,
                 bool together = false) {
  RequestSpec spec;
  spec.together = together;
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
  EXPECT_OK(queue.CheckRoom(Spec(1, 1, 1)));
  const absl::Status refused = queue.CheckRoom(Spec(2, 1, 1));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "queue: must hold at most 2 waiting sequences, "
                                "got 1 and 2 more"));
  EXPECT_EQ(ReasonOf(refused), "QUEUE_FULL");
}

TEST(RequestQueueTest, RefusesMoreTokensThanMayWait) {
  RequestQueue queue({.max_tokens = 20});
  queue.Push(Request(Spec(1, 10, 5)));
  const absl::Status refused = queue.CheckRoom(Spec(1, 5, 1));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "queue: must hold at most 20 waiting tokens, "
                                "got 15 and 6 more"));
  EXPECT_EQ(ReasonOf(refused), "TOKEN_BUDGET");
}

TEST(RequestQueueTest, TakesALargeRequestWhenNobodyWaits) {
  EXPECT_OK(RequestQueue({.max_tokens = 20}).CheckRoom(Spec(1, 100, 1)));
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
  queue.Push(Request(Spec(2, 1, 1, /*together=*/true)));
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
  queue.RecordService(absl::Seconds(4));
  EXPECT_EQ(queue.PredictWait(2, /*free_slots=*/2, /*slots=*/4),
            absl::ZeroDuration());
}

TEST(RequestQueueTest, PredictsTheWaitFromHowLongSequencesRan) {
  RequestQueue queue({});
  EXPECT_EQ(queue.PredictWait(1, 0, 4), absl::ZeroDuration());  // No evidence.
  queue.RecordService(absl::Seconds(4));
  queue.Push(Request(Spec(3, 1, 1)));
  // Four sequences are ahead or new, four slots turn over every four seconds.
  EXPECT_EQ(queue.PredictWait(1, 0, 4), absl::Seconds(4));
  queue.RecordService(absl::Seconds(14));
  EXPECT_EQ(queue.PredictWait(1, 0, 4), absl::Seconds(5));
}

}  // namespace
}  // namespace alignsae
