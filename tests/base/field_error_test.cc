#include "model/base/field_error.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/time/time.h"
#include "model/base/status_payload.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(FieldErrorTest, IsToldInOneSentence) {
  EXPECT_THAT(InvalidField("top_p", "be in (0, 1]", 1.5),
              StatusIs(kInvalid, "top_p: must be in (0, 1], got 1.5"));
  EXPECT_THAT(
      FieldStatus({"name", "be known", "\"x\""}, absl::StatusCode::kNotFound),
      StatusIs(absl::StatusCode::kNotFound, "name: must be known, got \"x\""));
  EXPECT_THAT(FieldStatus({"source", "be absent for ADD", ""}),
              StatusIs(kInvalid, "source: must be absent for ADD"));
  EXPECT_THAT(InvalidField("", "be set", "none"),
              StatusIs(kInvalid, "must be set, got none"));
}

TEST(FieldErrorTest, ComesBackAsItWasMade) {
  const std::string odd("a\0b\xff", 4);
  const std::optional<FieldError> error =
      FieldErrorOf(FieldStatus({"a.b[2]", "be " + odd, odd}));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->path, "a.b[2]");
  EXPECT_EQ(error->rule, "be " + odd);
  EXPECT_EQ(error->got, odd);
  EXPECT_FALSE(FieldErrorOf(absl::OkStatus()).has_value());
  EXPECT_FALSE(FieldErrorOf(absl::InvalidArgumentError("a: b")).has_value());
}

TEST(FieldErrorTest, ThePathGrowsFromTheInsideOut) {
  absl::Status status = InvalidField("", "be even", 3);
  status = InField("ids[2]", status);
  status = InField("token_ids", status);
  status = InField("[1]", status);
  status = InField("prompts", status);
  EXPECT_THAT(status, StatusIs(kInvalid,
                               "prompts[1].token_ids.ids[2]: must be even, "
                               "got 3"));
  EXPECT_THAT(InField("", status), StatusIs(kInvalid, status.message()));
  EXPECT_EQ(Indexed("prompts", 12), "prompts[12]");
}

TEST(FieldErrorTest, WhatIsNoFieldErrorStaysAsItIs) {
  const absl::Status busy =
      WithReason(absl::ResourceExhaustedError("queue: is full"), "FULL");
  EXPECT_EQ(InField("prompt", busy), busy);
  EXPECT_EQ(RenameField("queue", "line", busy), busy);
  EXPECT_OK(InField("prompt", absl::OkStatus()));
  EXPECT_EQ(InField("prompt", absl::StatusOr<int>(7)).value(), 7);
}

TEST(FieldErrorTest, ReasonAndRetryTravelThroughEveryStep) {
  absl::Status status = WithRetryAfter(
      WithReason(InvalidField("target", "be free", "taken"), "TAKEN"),
      absl::Seconds(3));
  status = RenameField("target", "targets[4]", status);
  status = InField("sweep", absl::StatusOr<int>(status)).status();
  EXPECT_EQ(status.message(), "sweep.targets[4]: must be free, got taken");
  EXPECT_EQ(ReasonOf(status), "TAKEN");
  EXPECT_EQ(RetryAfterOf(status), absl::Seconds(3));
}

TEST(FieldErrorTest, OnlyTheFieldItselfAndItsPartsAreRenamed) {
  const auto renamed = [](const char* path) {
    return FieldErrorOf(RenameField("target", "targets[1]",
                                    InvalidField(path, "be set", "none")))
        ->path;
  };
  EXPECT_EQ(renamed("target"), "targets[1]");
  EXPECT_EQ(renamed("target.name"), "targets[1].name");
  EXPECT_EQ(renamed("target[3]"), "targets[1][3]");
  EXPECT_EQ(renamed("target_slot"), "target_slot");
  EXPECT_EQ(renamed("a.target"), "a.target");
  EXPECT_EQ(renamed(""), "");
}

}  // namespace
}  // namespace alignsae
