#include "server/api/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST(StatusTest, OkIsOk) {
  const WireStatus wire = ToWireStatus(absl::OkStatus(), "id");
  EXPECT_EQ(wire.code, absl::StatusCode::kOk);
  EXPECT_EQ(wire.details, "");
  EXPECT_EQ(wire.retry_pushback, "");
}

TEST(StatusTest, WhatAClientCanMendKeepsItsSentence) {
  const WireStatus wire =
      ToWireStatus(absl::InvalidArgumentError("alpha: must be finite"), "id-7");
  EXPECT_EQ(wire.code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(wire.message, "alpha: must be finite");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(wire.details));
  google::rpc::ErrorInfo info;
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.domain(), "alignsae.v1");
  EXPECT_EQ(info.reason(), "INVALID_FIELD");
  EXPECT_EQ(info.metadata().at("request_id"), "id-7");
  EXPECT_EQ(wire.internal_id, "");
}

TEST(StatusTest, WhatMayBeTriedAgainSaysWhen) {
  const WireStatus wire = ToWireStatus(
      WithRetryAfter(WithReason(absl::ResourceExhaustedError("queue: is full"),
                                kReasonQueueFull),
                     absl::Milliseconds(1250)),
      "id");
  EXPECT_EQ(wire.retry_pushback, "1250");
  google::rpc::Status details;
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.ParseFromString(wire.details));
  ASSERT_EQ(details.details_size(), 2);
  ASSERT_TRUE(details.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 250000000);
}

TEST(StatusTest, ABugOfOursTellsAnIdOnly) {
  for (const absl::Status& status :
       {absl::InternalError("secret"), absl::UnknownError("secret"),
        absl::DataLossError("secret"), absl::AbortedError("secret")}) {
    const WireStatus wire = ToWireStatus(status, "id");
    EXPECT_EQ(wire.code, absl::StatusCode::kInternal);
    EXPECT_THAT(wire.message, Not(HasSubstr("secret")));
    EXPECT_THAT(wire.details, Not(HasSubstr("secret")));
    EXPECT_THAT(wire.internal_id, SizeIs(16));
    EXPECT_THAT(wire.message, HasSubstr(wire.internal_id));
  }
}

TEST(StatusTest, OfMemoryThatRanOutAClientLearnsWhatToAskLessOf) {
  const WireStatus wire = ToWireStatus(
      WithReason(
          absl::ResourceExhaustedError("LibTorch: DefaultCPUAllocator: can't "
                                       "allocate memory"),
          kReasonMemory),
      "id");
  EXPECT_EQ(wire.code, absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(wire.message, HasSubstr("out of memory"));
  EXPECT_THAT(wire.message, HasSubstr("top_k"));
  EXPECT_THAT(wire.message, HasSubstr(wire.internal_id));
  EXPECT_THAT(wire.details, Not(HasSubstr("LibTorch")));
  EXPECT_THAT(wire.internal_id, SizeIs(16));
  EXPECT_EQ(wire.retry_pushback, "-1");
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.ParseFromString(wire.details));
  ASSERT_EQ(details.details_size(), 1);  // No RetryInfo.
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "MEMORY");
}

TEST(StatusTest, ALimitWithoutAReasonIsNotAFullQueue) {
  const WireStatus wire =
      ToWireStatus(absl::ResourceExhaustedError("file: is too large"), "id");
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.ParseFromString(wire.details));
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "LIMIT");
  EXPECT_EQ(wire.retry_pushback, "-1");
}

TEST(StatusTest, ALongSentenceIsCutBetweenCharacters) {
  std::string message(1023, 'x');
  message += "\xc3\xa9 and more";
  const WireStatus wire =
      ToWireStatus(absl::InvalidArgumentError(message), "id");
  EXPECT_EQ(wire.message, absl::StrCat(std::string(1023, 'x'), "..."));
}

TEST(StatusTest, ARefusalThatTimeDoesNotMendIsNotTriedAgain) {
  EXPECT_EQ(ToWireStatus(WithReason(absl::ResourceExhaustedError("slow"),
                                    kReasonSlowReader),
                         "id")
                .retry_pushback,
            "-1");
  EXPECT_EQ(ToWireStatus(absl::InvalidArgumentError("x"), "id").retry_pushback,
            "");
}

}  // namespace
}  // namespace alignsae
