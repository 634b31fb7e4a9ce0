#include "client/load/load_runner.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "client/load/health_probe.h"
#include "client/load/load.h"
#include "model/base/mutex.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// Counts calls that run, so that the end can wait for all.
class Running {
 public:
  void Begin() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    ++count_;
  }
  void End() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    --count_;
    changed_.NotifyAll();
  }
  void WaitForAll() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (count_ > 0) changed_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

void RunOpen(Load& load, LoadClock::time_point end, Running& running) {
  std::mt19937_64 engine(load.options().seed);
  std::exponential_distribution<double> gap(load.options().rate);
  LoadClock::time_point due = LoadClock::now();
  for (uint64_t index = 0; due < end; ++index) {
    std::this_thread::sleep_until(due);
    running.Begin();
    const int client =
        static_cast<int>(index % static_cast<uint64_t>(load.options().clients));
    load.Start({index, client, due}, [&running] { running.End(); });
    due += std::chrono::duration_cast<LoadClock::duration>(
        std::chrono::duration<double>(gap(engine)));
  }
}

void RunClosed(Load& load, LoadClock::time_point end, Running& running) {
  std::atomic<uint64_t> next{0};
  // A caller is one client for all of its calls.
  std::function<void(int)> again = [&](int client) {
    if (LoadClock::now() < end) {
      load.Start({next++, client, LoadClock::now()},
                 [&again, client] { again(client); });
    } else {
      running.End();
    }
  };
  for (int i = 0; i < load.options().concurrency; ++i) {
    running.Begin();
    again(i % load.options().clients);
  }
  running.WaitForAll();  // `again` must outlive the calls.
}

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options) {
  const auto health_channel = NewConnection(options);
  Load load(options);
  ALIGNSAE_RETURN_IF_ERROR(load.Learn());
  const LoadClock::time_point start = LoadClock::now();
  const LoadClock::time_point begin =
      start + absl::ToChronoNanoseconds(options.warmup);
  const LoadClock::time_point end =
      begin + absl::ToChronoNanoseconds(options.duration);
  load.set_begin(begin);
  LoadResult result;
  std::thread prober([&] {
    result.health =
        ProbeHealth(health_channel, options.health_every, begin, end);
  });
  Running running;
  if (options.rate > 0) {
    RunOpen(load, end, running);
  } else {
    RunClosed(load, end, running);
  }
  running.WaitForAll();
  prober.join();
  result.seconds = absl::ToDoubleSeconds(options.duration);
  for (LoadSample& sample : load.TakeSamples()) {
    if (sample.due >= 0 && sample.due < result.seconds) {
      result.samples.push_back(std::move(sample));
    }
  }
  return result;
}

}  // namespace alignsae
