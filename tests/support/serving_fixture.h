// ServingTest: what serves, but for a transport: a real registry, lanes and
// scheduler with the fake executor behind them.

#ifndef ALIGNSAE_TESTS_SUPPORT_SERVING_FIXTURE_H_
#define ALIGNSAE_TESTS_SUPPORT_SERVING_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "server/api/call.h"
#include "server/api/methods.h"
#include "server/api/slot_watchers.h"
#include "tests/support/fake_step_executor.h"
#include "tests/support/small_catalog.h"
#include "tests/support/status_matchers.h"

namespace alignsae {

class ServingTest : public ::testing::Test {
 protected:
  ServingTest()
      : metrics_(RpcMethods(), "test"),
        executor_(4),
        memory_(int64_t{64} << 20),
        registry_({SchedulerOptions(), &clock_, &metrics_}),
        lanes_({.interactive_waiting = 64,
                .background_threads = 1,
                .background_waiting = 2}),
        watchers_(&metrics_, &clock_, 2),
        env_{&registry_,   &lanes_,        &metrics_, &clock_, &memory_,
             &open_calls_, ServerConfig(), {},        nullptr, &watchers_} {
    memory_.answers.OnReturn([this] { lanes_.Wake(); });
  }

  // Until then every call is UNAVAILABLE.
  void Load() {
    ASSERT_OK(registry_.Load(kDefaultModel, [this] { return Model(); }));
  }
  // Around the executor of the fixture, which is not the model's.
  LoadedModel Model() {
    return {catalog_, tokenizer_,
            std::shared_ptr<StepExecutor>(std::shared_ptr<void>(), &executor_)};
  }

  // The value of a series, named with its labels.
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
    // Twice in a row: a gauge may be told a step late.
    int seen = 0;
    for (int i = 0; i < 500 && seen < 2; ++i) {
      seen = Metric(series) == value ? seen + 1 : 0;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return seen == 2;
  }

  RealClock clock_;
  Metrics metrics_;
  std::shared_ptr<const Catalog> catalog_ = SmallCatalog();
  std::shared_ptr<const Tokenizer> tokenizer_ = SmallTokenizer();
  FakeStepExecutor executor_;
  std::atomic<int> open_calls_{0};
  CallMemory memory_;
  ModelRegistry registry_;
  Lanes lanes_;
  SlotWatchers watchers_;  // Looks when a test says so.
  RpcEnv env_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_SERVING_FIXTURE_H_
