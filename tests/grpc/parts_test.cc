// The small parts of the RPC layer: statuses, UTF-8, workers, ids.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "model/base/random_id.h"
#include "model/base/status_payload.h"
#include "server/api/utf8_stream.h"
#include "server/grpc/status.h"
#include "server/process/worker_pool.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST(StatusTest, OkIsOk) {
  const WireStatus wire = ToWireStatus(absl::OkStatus(), "id");
  EXPECT_TRUE(wire.status.ok());
  EXPECT_EQ(wire.retry_pushback, "");
}

TEST(StatusTest, WhatAClientCanMendKeepsItsSentence) {
  const WireStatus wire =
      ToWireStatus(absl::InvalidArgumentError("alpha: must be finite"), "id-7");
  EXPECT_EQ(wire.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(wire.status.error_message(), "alpha: must be finite");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(wire.status.error_details()));
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
  ASSERT_TRUE(details.ParseFromString(wire.status.error_details()));
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
    EXPECT_EQ(wire.status.error_code(), grpc::StatusCode::INTERNAL);
    EXPECT_THAT(wire.status.error_message(), Not(HasSubstr("secret")));
    EXPECT_THAT(wire.status.error_details(), Not(HasSubstr("secret")));
    EXPECT_THAT(wire.internal_id, SizeIs(16));
    EXPECT_THAT(wire.status.error_message(), HasSubstr(wire.internal_id));
  }
}

TEST(StatusTest, OfMemoryThatRanOutAClientLearnsWhatToAskLessOf) {
  const WireStatus wire = ToWireStatus(
      WithReason(
          absl::ResourceExhaustedError("LibTorch: DefaultCPUAllocator: can't "
                                       "allocate memory"),
          kReasonMemory),
      "id");
  EXPECT_EQ(wire.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(wire.status.error_message(), HasSubstr("out of memory"));
  EXPECT_THAT(wire.status.error_message(), HasSubstr("top_k"));
  EXPECT_THAT(wire.status.error_message(), HasSubstr(wire.internal_id));
  EXPECT_THAT(wire.status.error_details(), Not(HasSubstr("LibTorch")));
  EXPECT_THAT(wire.internal_id, SizeIs(16));
  EXPECT_EQ(wire.retry_pushback, "-1");
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.ParseFromString(wire.status.error_details()));
  ASSERT_EQ(details.details_size(), 1);  // No RetryInfo.
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "MEMORY");
}

TEST(StatusTest, ALimitWithoutAReasonIsNotAFullQueue) {
  const WireStatus wire =
      ToWireStatus(absl::ResourceExhaustedError("file: is too large"), "id");
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.ParseFromString(wire.status.error_details()));
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "LIMIT");
  EXPECT_EQ(wire.retry_pushback, "-1");
}

TEST(StatusTest, ALongSentenceIsCutBetweenCharacters) {
  std::string message(1023, 'x');
  message += "\xc3\xa9 and more";
  const WireStatus wire =
      ToWireStatus(absl::InvalidArgumentError(message), "id");
  EXPECT_EQ(wire.status.error_message(),
            absl::StrCat(std::string(1023, 'x'), "..."));
}

TEST(Utf8StreamTest, HoldsBackWhatIsNotWhole) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("a\xf0\x9f"), "a");
  EXPECT_EQ(stream.Push("\x99"), "");
  EXPECT_EQ(stream.Push("\x82z"), "\xf0\x9f\x99\x82z");
  EXPECT_EQ(stream.Finish(), "");
}

TEST(Utf8StreamTest, WhatCannotBecomeACharacterIsReplaced) {
  Utf8Stream stream;
  EXPECT_EQ(stream.Push("\xff\xc3"), "\xef\xbf\xbd");
  EXPECT_EQ(stream.Push("("), "\xef\xbf\xbd(");
  EXPECT_EQ(stream.Push("\xe2\x82"), "");
  EXPECT_EQ(stream.Finish(), "\xef\xbf\xbd");
  EXPECT_EQ(ToUtf8("ok \xe2\x82"), "ok \xef\xbf\xbd");
}

TEST(WorkerPoolTest, RefusesNewWorkWhenTooMuchWaitsButFinishesOldWork) {
  std::atomic<int> done{0};
  absl::Notification started, go;
  {
    WorkerPool pool(1, 2);
    EXPECT_TRUE(pool.TrySchedule([&] {
      started.Notify();
      go.WaitForNotification();
      ++done;
    }));
    started.WaitForNotification();
    EXPECT_TRUE(pool.TrySchedule([&] { ++done; }));
    EXPECT_TRUE(pool.TrySchedule([&] { ++done; }));
    EXPECT_FALSE(pool.TrySchedule([&] { done += 100; }));
    pool.Schedule([&] { ++done; });
    go.Notify();
  }
  EXPECT_EQ(done, 4);  // The pool ran what waited before it went.
}

TEST(WorkerPoolTest, WhatWasAdmittedGoesFirst) {
  std::vector<int> order;
  absl::Notification started, go;
  {
    WorkerPool pool(1, 100);
    pool.Schedule([&] {
      started.Notify();
      go.WaitForNotification();
    });
    started.WaitForNotification();
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(pool.TrySchedule([&] { order.push_back(0); }));
    }
    pool.Schedule([&] { order.push_back(1); });
    go.Notify();
  }
  ASSERT_THAT(order, SizeIs(51));
  EXPECT_EQ(order.front(), 1);
}

TEST(RandomIdTest, IsSixteenDigitsAndNeverTheSame) {
  EXPECT_THAT(RandomId(), SizeIs(16));
  EXPECT_NE(RandomId(), RandomId());
}

}  // namespace
}  // namespace alignsae
