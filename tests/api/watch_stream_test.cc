// WatchSlots without a transport: what is told, to how many, and until when.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "model/base/status_payload.h"
#include "server/api/concept_rpcs.h"
#include "server/api/slot_watchers.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Keeps what it is sent until the test says that it is written.
class SlowSink final : public StreamSink<v1::WatchSlotsResponse> {
 public:
  void Write(const v1::WatchSlotsResponse& message) override {
    messages.push_back(message);
  }
  void Finish(const v1::WatchSlotsResponse*, const WireStatus& end) override {
    status = end;
    ended.Notify();
  }
  void GiveUpAfter(absl::Duration patience) override { patiences = patience; }

  std::vector<v1::WatchSlotsResponse> messages;
  WireStatus status;
  absl::Duration patiences;
  absl::Notification ended;
};

class WatchStreamTest : public ApiTest {
 protected:
  struct Watch {
    std::shared_ptr<Call> call;
    std::shared_ptr<SlowSink> sink;
    std::shared_ptr<AnswerStream> stream;
    bool ended() const { return sink->ended.HasBeenNotified(); }
  };
  // Begun and joined, or refused.
  Watch Begin(Caller caller = {}) {
    Watch watch{MakeCall(kRpcWatchSlots, caller), std::make_shared<SlowSink>(),
                nullptr};
    watch.stream = WatchSlots(watch.call, &request_, watch.sink);
    watch.stream->Begin();
    for (int i = 0; i < 2; ++i) {  // Its threads.
      absl::Notification one;
      lanes_.interactive.Schedule([&one] { one.Notify(); });
      one.WaitForNotification();
    }
    for (int i = 0; i < 500 && !watch.ended() && watch.sink->messages.empty();
         ++i) {
      absl::SleepFor(absl::Milliseconds(2));
    }
    return watch;
  }
  void Read() {
    v1::ReadConceptsResponse read;
    EXPECT_EQ(Run(&ReadConcepts, MakeCall(kRpcReadConcepts),
                  FromText<v1::ReadConceptsRequest>(
                      "prompts { token_ids { ids: 5 ids: 6 } }"),
                  &read)
                  .code,
              absl::StatusCode::kOk);
  }

  v1::WatchSlotsRequest request_;
};

TEST_F(WatchStreamTest, TellsTheNewestLookAtOnceAndThenEachOne) {
  Load();
  Read();
  watchers_.Look();
  Watch watch = Begin();
  ASSERT_EQ(watch.sink->messages.size(), 1u);
  const v1::WatchSlotsResponse& first = watch.sink->messages[0];
  EXPECT_EQ(first.info().checkpoint(), "main");
  EXPECT_EQ(first.info().request_id(), watch.call->request_id());
  EXPECT_EQ(first.recent().prompts(), 1);
  EXPECT_EQ(first.total().prompts(), 1);
  ASSERT_EQ(first.total().concepts_size(), 2);
  EXPECT_EQ(first.total().concepts(0).name(), "city");
  EXPECT_EQ(first.total().concepts(0).count(), 1);
  EXPECT_EQ(first.total().concepts(0).ratio_counts_size(),
            first.ratio_bounds_size() + 1);
  double shares = first.total().unbound_share();
  for (const auto& one : first.total().concepts()) shares += one.top_share();
  EXPECT_DOUBLE_EQ(shares, 1);
  watch.stream->OnWritten(true);
  EXPECT_EQ(watch.sink->messages.size(), 1u);  // Nothing is told twice.
  Read();
  Read();
  watchers_.Look();
  ASSERT_EQ(watch.sink->messages.size(), 2u);
  EXPECT_EQ(watch.sink->messages[1].recent().prompts(), 2);
  EXPECT_EQ(watch.sink->messages[1].total().prompts(), 3);
  watch.call->Cancel();
  EXPECT_TRUE(watch.ended());
  EXPECT_EQ(watch.sink->status.code, absl::StatusCode::kCancelled);
}

TEST_F(WatchStreamTest, ALateReaderGetsTheNewest) {
  Load();
  watchers_.Look();
  Watch watch = Begin();
  for (int i = 0; i < 3; ++i) {
    Read();
    watchers_.Look();
  }
  EXPECT_EQ(watch.sink->messages.size(), 1u);
  watch.stream->OnWritten(true);
  ASSERT_EQ(watch.sink->messages.size(), 2u);
  EXPECT_EQ(watch.sink->messages[1].total().prompts(), 3);
  EXPECT_EQ(watch.sink->messages[1].recent().prompts(), 1);
  watch.stream->OnWritten(false);
  EXPECT_EQ(watch.sink->status.code, absl::StatusCode::kCancelled);
}

TEST_F(WatchStreamTest, AReaderThatTakesNothingIsEnded) {
  env_.unread.max_age = absl::Milliseconds(20);
  Load();
  watchers_.Look();
  Watch watch = Begin();
  absl::SleepFor(absl::Milliseconds(30));
  watchers_.Look();
  ASSERT_TRUE(watch.ended());
  EXPECT_EQ(watch.sink->status.code, absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(watch.sink->status.details, HasSubstr(kReasonSlowReader));
  watch.stream->OnWritten(false);
}

TEST_F(WatchStreamTest, SoManyMayWatchAndNoMore) {
  Load();
  watchers_.Look();
  Watch one = Begin();
  Watch two = Begin();
  Watch three = Begin();
  ASSERT_TRUE(three.ended());
  EXPECT_EQ(three.sink->status.code, absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(three.sink->status.details, HasSubstr(kReasonLimit));
  EXPECT_EQ(three.sink->status.message,
            "server: must have at most 2 watchers (--max-watchers), and has "
            "them; ask again later");
  one.call->Cancel();
  Watch four = Begin();
  EXPECT_FALSE(four.ended());
  two.call->Cancel();
  four.call->Cancel();
}

TEST_F(WatchStreamTest, EndsWithItsDeadlineAndWithTheServer) {
  Load();
  watchers_.Look();
  Caller hasty;
  hasty.deadline = absl::Now() + absl::Milliseconds(50);
  Watch late = Begin(hasty);
  late.stream->OnWritten(true);
  Watch watch = Begin();
  absl::SleepFor(absl::Milliseconds(60));
  watchers_.Look();
  EXPECT_EQ(late.sink->status.code, absl::StatusCode::kDeadlineExceeded);
  watch.stream->OnWritten(true);
  registry_.RefuseNew();
  watchers_.Look();
  ASSERT_TRUE(watch.ended());
  EXPECT_EQ(watch.sink->status.code, absl::StatusCode::kUnavailable);
  EXPECT_THAT(watch.sink->status.details, HasSubstr(kReasonDraining));
}

TEST_F(WatchStreamTest, EndsWellBeforeItsDeadline) {
  Load();
  watchers_.Look();
  Caller caller;
  caller.deadline = absl::Now() + absl::Milliseconds(1100);
  Watch watch = Begin(caller);
  EXPECT_EQ(watch.sink->messages.size(), 1u);
  watch.stream->OnWritten(true);
  watchers_.Look();
  ASSERT_TRUE(watch.ended());
  EXPECT_EQ(watch.sink->status.code, absl::StatusCode::kOk);
  EXPECT_EQ(watch.sink->messages.size(), 1u);
  watchers_.Look();  // It has left.
}

TEST_F(WatchStreamTest, HoldsNoModelAndItsMemoryUntilItsEnd) {
  Load();
  watchers_.Look();
  Watch watch = Begin();
  EXPECT_GT(memory_.answers.used(), 0);
  ASSERT_OK(registry_.Load(kDefaultModel, [this] { return Model(); }));
  for (int i = 0; i < 500 && registry_.List().size() > 1; ++i) {
    absl::SleepFor(absl::Milliseconds(2));
  }
  EXPECT_EQ(registry_.List().size(), 1u);
  watch.stream->OnWritten(true);
  watchers_.Look();
  EXPECT_EQ(watch.sink->messages.back().info().generation_id(), 2u);
  watch.call->Cancel();
  watch = {};
  EXPECT_EQ(memory_.answers.used(), 0);
}

TEST_F(WatchStreamTest, RefusesAnUnknownCheckpointAndWaitsForTheModel) {
  EXPECT_EQ(Begin().sink->status.code, absl::StatusCode::kUnavailable);
  Load();
  request_.set_checkpoint("no_such");
  const Watch watch = Begin();
  EXPECT_EQ(watch.sink->status.code, absl::StatusCode::kNotFound);
  EXPECT_THAT(watch.sink->status.message,
              HasSubstr("checkpoint: must be one of main, whole"));
}

}  // namespace
}  // namespace alignsae
