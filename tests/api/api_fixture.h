// ApiTest: the functions of server/api without a transport, over a real
// registry, lanes and scheduler with the fake executor behind them.

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

#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "model/base/mutex.h"
#include "server/api/methods.h"
#include "server/api/model_stream.h"
#include "server/api/unary_call.h"
#include "tests/api/parse_fixture.h"
#include "tests/support/fake_step_executor.h"
#include "tests/support/small_catalog.h"

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

  std::weak_ptr<ModelStream<Response>> stream;  // Set before it begins.
  std::vector<Response> messages;               // To be read once it has ended.
  WireStatus status;
  int give_ups = 0;
  absl::Notification ended;

 private:
  Lanes* const lanes_;
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest()
      : metrics_(RpcMethods(), "test"),
        executor_(4),
        registry_({SchedulerOptions(), &clock_, &metrics_}),
        lanes_({.interactive_waiting = 64, .background_waiting = 2}),
        env_{&registry_, &lanes_,      &metrics_,
             &clock_,    &open_calls_, ServerConfig()} {}

  ~ApiTest() override {
    registry_.EndAll();
    lanes_.Stop();
    EXPECT_EQ(open_calls_, 0);
  }

  void Load() {
    ASSERT_OK(registry_.Load(kDefaultModel, [this] {
      return LoadedModel{
          catalog_, tokenizer_,
          std::shared_ptr<StepExecutor>(std::shared_ptr<void>(), &executor_)};
    }));
  }

  std::shared_ptr<Call> MakeCall(const char* method, Caller caller = {}) {
    return std::make_shared<Call>(&env_, method, caller);
  }

  // Runs a unary function of the API to its end, which the call is told.
  template <typename Request, typename Response>
  WireStatus Run(void (*rpc)(std::shared_ptr<Call>, const Request*, Response*,
                             Done),
                 std::shared_ptr<Call> call, const Request& request,
                 Response* response) {
    absl::Notification ended;
    WireStatus status;
    std::atomic<int> ends{0};
    rpc(call, &request, response, [&](const absl::Status& told) {
      ++ends;
      status = call->End(told);
      ended.Notify();
    });
    ended.WaitForNotification();
    EXPECT_EQ(ends, 1);
    return status;
  }

  std::string Metric(const std::string& series) {
    for (const std::string& line : std::vector<std::string>(
             absl::StrSplit(metrics_.ExpositionText(), '\n'))) {
      if (line.rfind(series + " ", 0) == 0) {
        return line.substr(series.size() + 1);
      }
    }
    return "none";
  }
  // Until the metric has the value, which a call's end may be ahead of.
  bool Reaches(const std::string& series, const std::string& value) {
    for (int i = 0; i < 500 && Metric(series) != value; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return Metric(series) == value;
  }

  RealClock clock_;
  Metrics metrics_;
  std::shared_ptr<const Catalog> catalog_ = SmallCatalog();
  std::shared_ptr<const Tokenizer> tokenizer_ = SmallTokenizer();
  FakeStepExecutor executor_;
  std::atomic<int> open_calls_{0};
  ModelRegistry registry_;
  Lanes lanes_;
  RpcEnv env_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_API_API_FIXTURE_H_
