// ApiTest: the functions of server/api without a transport.

#ifndef ALIGNSAE_TESTS_API_API_FIXTURE_H_
#define ALIGNSAE_TESTS_API_API_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "server/api/model_stream.h"
#include "server/api/unary_call.h"
#include "tests/api/parse_fixture.h"
#include "tests/support/serving_fixture.h"

namespace alignsae {

// A transport that takes every message at once, from a thread of a lane.
template <typename Response>
class CollectingSink final : public StreamSink<Response> {
 public:
  explicit CollectingSink(Lanes* lanes) : lanes_(lanes) {}

  void Write(const Response& message) override {
    messages.push_back(message);
    lanes_->interactive.Schedule([stream = stream.lock()] {
      if (stream != nullptr) stream->OnWritten(true);
    });
  }
  void Finish(const Response* summary, const WireStatus& end) override {
    if (summary != nullptr) messages.push_back(*summary);
    status = end;
    ended.Notify();
  }
  void GiveUpAfter(absl::Duration) override { ++give_ups; }

  std::weak_ptr<AnswerStream> stream;  // Set before it begins.
  std::vector<Response> messages;      // To be read once it has ended.
  WireStatus status;
  int give_ups = 0;
  absl::Notification ended;

 private:
  Lanes* const lanes_;
};

class ApiTest : public ServingTest {
 protected:
  ~ApiTest() override {
    registry_.EndAll();
    lanes_.Stop();
    EXPECT_EQ(open_calls_, 0);
  }

  std::shared_ptr<Call> MakeCall(const char* method, Caller caller = {}) {
    return std::make_shared<Call>(&env_, method, caller);
  }

  // Runs a unary function of the API to its end, which the call is told, until
  // nobody else has the call and what it held is back.
  template <typename Request, typename Response>
  WireStatus Run(void (*rpc)(std::shared_ptr<Call>, const Request*, Response*,
                             Done),
                 std::shared_ptr<Call> call, const Request& request,
                 Response* response) {
    absl::Notification ended;
    WireStatus status;
    std::atomic<int> ends{0};
    const auto holders = call.use_count();
    rpc(call, &request, response, [&](const absl::Status& told) {
      ++ends;
      status = call->End(told);
      ended.Notify();
    });
    ended.WaitForNotification();
    EXPECT_EQ(ends, 1);
    while (call.use_count() > holders) absl::SleepFor(absl::Milliseconds(1));
    return status;
  }

  // A stream to its end.
  template <typename Stream, typename Request, typename Response>
  std::shared_ptr<CollectingSink<Response>> RunStream(
      std::shared_ptr<Stream> (*rpc)(std::shared_ptr<Call>, const Request*,
                                     std::shared_ptr<StreamSink<Response>>),
      std::shared_ptr<Call> call, const Request& request) {
    auto sink = std::make_shared<CollectingSink<Response>>(&lanes_);
    const auto stream = rpc(std::move(call), &request, sink);
    sink->stream = stream;
    stream->Begin();
    sink->ended.WaitForNotification();
    return sink;
  }
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_API_API_FIXTURE_H_
