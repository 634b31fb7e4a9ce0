#include "model/scheduler/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "model/base/status_payload.h"
#include "tests/scheduler/queue_specs.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

constexpr absl::Duration kInstant = absl::Nanoseconds(1);

class AdmissionTest : public ::testing::Test {
 protected:
  static constexpr int kSlots = 2;

  absl::Status Take(RequestSpec spec) {
    return admission_
        .Take(std::move(spec), std::make_shared<RecordingSink>(), now_)
        .status();
  }
  absl::Status TakeUntil(RequestSpec spec, absl::Time deadline) {
    spec.deadline = deadline;
    return Take(std::move(spec));
  }
  // Reasons of those that a sweep drops.
  std::vector<std::string> Sweep(bool ending_all = false) {
    std::vector<std::string> reasons;
    for (const Admission::Dropped& drop : admission_.Sweep(now_, ending_all)) {
      reasons.push_back(ReasonOf(drop.why));
    }
    return reasons;
  }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  Admission admission_{{.max_sequences = 4, .max_tokens = 100}, Slots(kSlots)};
};

TEST_F(AdmissionTest, ADeadlineIsOverAtItsInstant) {
  EXPECT_THAT(TakeUntil(Single("a"), now_),
              StatusIs(absl::StatusCode::kDeadlineExceeded, testing::_));
  EXPECT_OK(TakeUntil(Single("a"), now_ + kInstant));
  EXPECT_THAT(Sweep(), testing::IsEmpty());
  now_ += kInstant;
  EXPECT_THAT(Sweep(), testing::SizeIs(1));
  EXPECT_TRUE(admission_.empty());
}

TEST_F(AdmissionTest, AsManyTogetherAsThereAreKvSlotsAreTaken) {
  EXPECT_THAT(Take(Spec(kSlots + 1, 1, 1, Grouping::kTogether)),
              StatusIs(absl::StatusCode::kFailedPrecondition, testing::_));
  EXPECT_OK(Take(Spec(kSlots, 1, 1, Grouping::kTogether)));
  const std::vector<QueuedUnit> starting =
      admission_.GiveOut(Slots(kSlots), now_);
  ASSERT_THAT(starting, testing::SizeIs(1));
  EXPECT_THAT(starting[0].sequences, testing::SizeIs(kSlots));
  EXPECT_EQ(admission_.free().slots, 0);
}

// One may wait for four seconds and a quarter of it more, and run for as long.
TEST_F(AdmissionTest, ADeadlineThatIsJustFarEnoughIsTaken) {
  admission_.RecordService(Single("a"), absl::Seconds(4), 1);
  admission_.SetFree({});
  EXPECT_OK(Take(Single("a")));
  const absl::Duration needs = absl::Seconds(4 * 1.25 + 4);
  const absl::Status refused = TakeUntil(Single("a"), now_ + needs - kInstant);
  EXPECT_EQ(ReasonOf(refused), "DEADLINE");
  EXPECT_EQ(RetryAfterOf(refused), absl::Seconds(4));
  EXPECT_OK(TakeUntil(Single("a"), now_ + needs));
}

TEST_F(AdmissionTest, SaysToComeBackNeitherTooSoonNorTooLate) {
  admission_.SetFree({});
  for (int i = 0; i < 4; ++i) EXPECT_OK(Take(Single("a")));
  EXPECT_EQ(RetryAfterOf(Take(Single("a"))), absl::Milliseconds(200));
  admission_.RecordService(Single("a"), absl::Hours(1), 1);
  EXPECT_EQ(RetryAfterOf(Take(Single("a"))), absl::Seconds(10));
}

TEST_F(AdmissionTest, DropsWhatHasNoTimeLeftToRun) {
  admission_.RecordService(Single("a"), absl::Seconds(4), 1);
  EXPECT_OK(TakeUntil(Single("a"), now_ + absl::Seconds(10)));
  admission_.GiveOut({}, now_ + kInstant);  // It was passed over.
  now_ += absl::Seconds(6);                 // Just enough is left.
  EXPECT_THAT(Sweep(), testing::IsEmpty());
  now_ += kInstant;
  EXPECT_THAT(Sweep(), testing::ElementsAre("DEADLINE"));
}

TEST_F(AdmissionTest, TriesWhatNoStepHasPassedOver) {
  admission_.RecordService(Single("a"), absl::Seconds(4), 1);
  admission_.GiveOut(Slots(kSlots), now_);
  EXPECT_OK(TakeUntil(Single("a"), now_ + absl::Seconds(1)));
  EXPECT_THAT(Sweep(), testing::IsEmpty());
}

TEST_F(AdmissionTest, TellsOfEachRequestOnce) {
  EXPECT_OK(Take(Spec(3, 1, 1, Grouping::kSeparate, "a")));
  EXPECT_OK(Take(Single("b")));
  EXPECT_THAT(Sweep(/*ending_all=*/true),
              testing::ElementsAre("DRAINING", "DRAINING"));
  EXPECT_TRUE(admission_.empty());
  EXPECT_THAT(Sweep(true), testing::IsEmpty());
}

TEST_F(AdmissionTest, IsNotEmptyWhileSomebodyMustBeToldThatItGaveWay) {
  for (int i = 0; i < 4; ++i) EXPECT_OK(Take(Single("a")));
  EXPECT_OK(Take(Single("b")));
  EXPECT_THAT(admission_.displaced(), testing::SizeIs(1));
  EXPECT_THAT(Sweep(), testing::ElementsAre("QUEUE_FULL"));
  EXPECT_THAT(admission_.displaced(), testing::IsEmpty());
  EXPECT_EQ(admission_.queue().sequences(), 4);
}

// Whatever the reason, a refusal leaves everything as it was.
TEST_F(AdmissionTest, ARefusalChangesNothing) {
  admission_.RecordService(Single("a"), absl::Seconds(4), 1);
  admission_.SetFree({});
  EXPECT_OK(Take(Spec(2, 9, 1, Grouping::kTogether, "a")));
  EXPECT_OK(Take(Single("a", 60)));
  const auto state = [this] {
    std::vector<std::pair<const ActiveRequest*, int>> places;
    admission_.queue().ForEach([&places](const QueuedUnit& unit) {
      for (int i : unit.sequences) places.emplace_back(unit.request.get(), i);
    });
    return std::make_tuple(
        places, admission_.queue().sequences(), admission_.queue().tokens(),
        admission_.displaced().size(), admission_.free().slots);
  };
  const auto before = state();
  const auto refused = [&](const absl::Status& status) {
    EXPECT_EQ(state(), before) << status;
    EXPECT_OK(admission_.queue().CheckInvariants());
    return ReasonOf(status);
  };
  EXPECT_EQ(refused(Take(Spec(3, 1, 1, Grouping::kSeparate, "b"))),
            "QUEUE_FULL");
  EXPECT_EQ(refused(Take(Spec(5, 1, 1, Grouping::kSeparate, "b"))),
            "QUEUE_FULL");
  // The newest of "a" alone would not do.
  EXPECT_EQ(refused(Take(Single("b", 90))), "TOKEN_BUDGET");
  EXPECT_EQ(refused(Take(Single("b", 101))), "TOKEN_BUDGET");
  EXPECT_EQ(refused(TakeUntil(Single("b"), now_ + absl::Seconds(1))),
            "DEADLINE");
  EXPECT_EQ(TakeUntil(Single("b"), now_).code(),
            absl::StatusCode::kDeadlineExceeded);
  refused(TakeUntil(Single("b"), now_));
  EXPECT_EQ(Take(Spec(3, 1, 1, Grouping::kTogether, "b")).code(),
            absl::StatusCode::kFailedPrecondition);
  refused(Take(Spec(3, 1, 1, Grouping::kTogether, "b")));
  admission_.RefuseNew();
  EXPECT_EQ(refused(Take(Single("b"))), "DRAINING");
}

}  // namespace
}  // namespace alignsae
