#include "server/registry/model_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "model/base/counter_rng.h"
#include "model/base/status_payload.h"
#include "tests/support/fake_step_executor.h"
#include "tests/support/recording_sink.h"
#include "tests/support/small_catalog.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Tells that it is alive, and on which thread it was destroyed.
class CountedExecutor : public FakeStepExecutor {
 public:
  CountedExecutor(std::atomic<int>* alive, std::thread::id made_on)
      : FakeStepExecutor(4), alive_(alive), made_on_(made_on) {
    ++*alive_;
  }
  ~CountedExecutor() override {
    EXPECT_EQ(std::this_thread::get_id(), made_on_);
    --*alive_;
  }

 private:
  std::atomic<int>* const alive_;
  const std::thread::id made_on_;
};

bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000 && !condition(); ++i) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  return condition();
}

class ModelRegistryTest : public ::testing::Test {
 protected:
  ModelLoader Loader() {
    return [this]() -> absl::StatusOr<LoadedModel> {
      return LoadedModel{SmallCatalog(), SmallTokenizer(),
                         std::make_shared<CountedExecutor>(
                             &alive_, std::this_thread::get_id())};
    };
  }
  RequestSpec Endless() const {
    RequestSpec spec;
    SequenceSpec sequence;
    sequence.prompt = {5};
    sequence.max_new_tokens = 1 << 20;
    sequence.ignore_eos = true;
    sequence.interventions = std::make_shared<std::vector<Intervention>>();
    spec.sequences.push_back(sequence);
    return spec;
  }

  std::atomic<int> alive_{0};
  RealClock clock_;
  Metrics metrics_{{}, "test"};
  ModelRegistry registry_{{SchedulerOptions(), &clock_, &metrics_}};
};

TEST_F(ModelRegistryTest, BeforeTheFirstLoadEveryNameIsStarting) {
  const absl::Status status = registry_.Acquire("m").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), kReasonStarting);
  EXPECT_TRUE(RetryAfterOf(status).has_value());
  EXPECT_THAT(registry_.List(), IsEmpty());
}

TEST_F(ModelRegistryTest, IsStartingUntilTheLoaderHasEnded) {
  absl::Notification go;
  std::thread loading([&] {
    EXPECT_OK(registry_.Load("m", [&] {
      go.WaitForNotification();
      return Loader()();
    }));
  });
  EXPECT_TRUE(Eventually([&] { return registry_.List().size() == 1; }));
  EXPECT_EQ(registry_.List()[0].state, ModelState::kLoading);
  EXPECT_EQ(ReasonOf(registry_.Acquire("m").status()), kReasonStarting);
  EXPECT_EQ(registry_.Load("m", Loader()).code(),
            absl::StatusCode::kFailedPrecondition);
  go.Notify();
  loading.join();
  const absl::StatusOr<ModelLease> lease = registry_.Acquire("m");
  ASSERT_OK(lease);
  EXPECT_EQ((*lease)->state(), ModelState::kReady);
  EXPECT_EQ((*lease)->catalog().generation, 1u);
  const absl::Status unknown = registry_.Acquire("other").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(unknown.message(),
            "model: must be one that is loaded, got \"other\"");
}

TEST_F(ModelRegistryTest, ASecondNameIsStartingWhileItLoads) {
  ASSERT_OK(registry_.Load("m", Loader()));
  absl::Notification loading, go;
  std::thread thread([&] {
    EXPECT_OK(registry_.Load("n", [&] {
      loading.Notify();
      go.WaitForNotification();
      return Loader()();
    }));
  });
  loading.WaitForNotification();
  EXPECT_EQ(ReasonOf(registry_.Acquire("n").status()), kReasonStarting);
  EXPECT_OK(registry_.Acquire("m"));
  go.Notify();
  thread.join();
  EXPECT_OK(registry_.Acquire("n"));
}

TEST_F(ModelRegistryTest, AfterRefuseNewNothingIsLoaded) {
  registry_.RefuseNew();
  bool called = false;
  EXPECT_EQ(ReasonOf(registry_.Load("m",
                                    [&] {
                                      called = true;
                                      return Loader()();
                                    })),
            kReasonDraining);
  EXPECT_FALSE(called);
}

TEST_F(ModelRegistryTest, AFailedLoadKeepsWhatIsServed) {
  ASSERT_OK(registry_.Load("m", Loader()));
  EXPECT_EQ(registry_.Load("m", [] { return absl::DataLossError("bad file"); }),
            absl::DataLossError("bad file"));
  const absl::StatusOr<ModelLease> lease = registry_.Acquire("m");
  ASSERT_OK(lease);
  EXPECT_EQ((*lease)->generation(), 1u);
  EXPECT_THAT(registry_.List(), SizeIs(1));
  ASSERT_OK(registry_.Load("m", Loader()));
  EXPECT_EQ((*registry_.Acquire("m"))->catalog().generation, 2u);
}

TEST_F(ModelRegistryTest, AFailedFirstLoadIsNotServed) {
  EXPECT_EQ(registry_.Load("m", [] { return absl::DataLossError("bad file"); }),
            absl::DataLossError("bad file"));
  EXPECT_EQ(ReasonOf(registry_.Acquire("m").status()), kReasonStarting);
  EXPECT_THAT(registry_.List(), IsEmpty());
}

TEST_F(ModelRegistryTest, ACallKeepsTheGenerationThatItBeganWith) {
  ASSERT_OK(registry_.Load("m", Loader()));
  ModelLease old = *registry_.Acquire("m");
  ASSERT_OK(registry_.Load("m", Loader()));
  EXPECT_EQ(old->state(), ModelState::kDraining);
  EXPECT_EQ((*registry_.Acquire("m"))->generation(), 2u);
  EXPECT_EQ(alive_, 2);
  // It works on, a new request included.
  auto sink = std::make_shared<RecordingSink>();
  RequestSpec spec = Endless();
  spec.sequences[0].max_new_tokens = 5;
  ASSERT_OK(old->scheduler().Submit(spec, sink));
  sink->WaitUntilDone();
  EXPECT_OK(*sink->done());
  EXPECT_EQ(sink->ids(), FakeStepExecutor::Continue({5}, 5));
  old.reset();
  EXPECT_TRUE(Eventually([&] { return alive_ == 1; }));
  EXPECT_TRUE(Eventually([&] { return registry_.List().size() == 1; }));
  EXPECT_EQ(registry_.List()[0].generation, 2u);
}

TEST_F(ModelRegistryTest, AnUnloadedModelGoesWithItsLastLease) {
  ASSERT_OK(registry_.Load("m", Loader()));
  ModelLease first = *registry_.Acquire("m");
  ModelLease second = *registry_.Acquire("m");
  ASSERT_OK(registry_.Unload("m"));
  EXPECT_EQ(registry_.Acquire("m").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_.Unload("m").code(), absl::StatusCode::kNotFound);
  first.reset();
  EXPECT_EQ(second->state(), ModelState::kDraining);
  EXPECT_EQ(alive_, 1);
  second.reset();
  EXPECT_TRUE(Eventually([&] { return alive_ == 0; }));
  ASSERT_OK(registry_.Load("m", Loader()));
  EXPECT_EQ((*registry_.Acquire("m"))->generation(), 2u);  // Names go on.
}

TEST_F(ModelRegistryTest, AfterRefuseNewLeasesWorkOnAndNobodyGetsOne) {
  ASSERT_OK(registry_.Load("m", Loader()));
  const ModelLease lease = *registry_.Acquire("m");
  registry_.RefuseNew();
  const absl::Status refused = registry_.Acquire("m").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refused), kReasonDraining);
  EXPECT_EQ(ReasonOf(registry_.Load("m", Loader())), kReasonDraining);
  auto sink = std::make_shared<RecordingSink>();
  RequestSpec spec = Endless();
  spec.sequences[0].max_new_tokens = 3;
  ASSERT_OK(lease->scheduler().Submit(spec, sink));
  sink->WaitUntilDone();
  EXPECT_OK(*sink->done());
}

TEST_F(ModelRegistryTest, EndAllEndsEveryRequestAndKeepsWhatLeasesNeed) {
  ASSERT_OK(registry_.Load("m", Loader()));
  ModelLease lease = *registry_.Acquire("m");
  auto sink = std::make_shared<RecordingSink>();
  ASSERT_OK(lease->scheduler().Submit(Endless(), sink));
  registry_.EndAll();
  ASSERT_TRUE(sink->done().has_value());
  EXPECT_EQ(sink->done()->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(lease->scheduler().Submit(Endless(), sink).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(alive_, 1);
  EXPECT_EQ(lease->executor().kv_slots(), 4);
  lease.reset();
  EXPECT_TRUE(Eventually([&] { return alive_ == 0; }));
}

// What a late task of a lane does: the registry's end waits for it.
TEST_F(ModelRegistryTest, StopWaitsForALeaseThatALateTaskHolds) {
  ASSERT_OK(registry_.Load("m", Loader()));
  ModelLease lease = *registry_.Acquire("m");
  absl::Notification ended;
  std::thread late([&, lease = std::move(lease)]() mutable {
    registry_.EndAll();
    ended.Notify();
    absl::SleepFor(absl::Milliseconds(50));
    EXPECT_EQ(lease->executor().kv_slots(), 4);
    EXPECT_THAT(lease->tokenizer().vocab_size(), ::testing::Gt(0));
    EXPECT_EQ(alive_, 1);
    lease.reset();
  });
  ended.WaitForNotification();
  registry_.Stop();
  EXPECT_EQ(alive_, 0);
  late.join();
}

TEST_F(ModelRegistryTest, StopDuringALoadEndsTheLoadWithUnavailable) {
  absl::Notification loading, go;
  std::thread loader([&] {
    EXPECT_EQ(ReasonOf(registry_.Load("m",
                                      [&] {
                                        loading.Notify();
                                        go.WaitForNotification();
                                        return Loader()();
                                      })),
              kReasonDraining);
  });
  loading.WaitForNotification();
  registry_.RefuseNew();
  go.Notify();
  loader.join();
  registry_.Stop();
  EXPECT_EQ(alive_, 0);
}

// The sink holds the call, which holds the lease: the last one may be dropped
// on the step thread.
TEST_F(ModelRegistryTest, TheLastLeaseMayBeDroppedOnTheStepThread) {
  class Holder : public RecordingSink {
   public:
    explicit Holder(ModelLease lease) : lease_(std::move(lease)) {}

   private:
    ModelLease lease_;
  };
  ASSERT_OK(registry_.Load("m", Loader()));
  {
    ModelLease lease = *registry_.Acquire("m");
    Scheduler& scheduler = lease->scheduler();
    auto sink = std::make_shared<Holder>(std::move(lease));
    ASSERT_OK(scheduler.Submit(Endless(), sink));
    registry_.RefuseNew();
    scheduler.EndAll();
  }
  EXPECT_TRUE(Eventually([&] { return alive_ == 0; }));
}

// Loads that succeed and fail, leases, requests and unloads in random order,
// against what should be there.
class RandomWalkTest : public ModelRegistryTest {
 protected:
  struct Held {
    ModelLease lease;
    std::string name;
    uint64_t generation = 0;
  };
  static constexpr int kNames = 3;

  void Step(CounterRng& rng) {
    const int which = static_cast<int>(rng.NextBelow(kNames));
    const std::string name = absl::StrCat("m", which);
    switch (rng.NextBelow(6)) {
      case 0:
        ASSERT_OK(registry_.Load(name, Loader()));
        served_[which] = ++generations_[which];
        break;
      case 1:
        EXPECT_EQ(registry_.Load(name, [] { return absl::DataLossError("x"); }),
                  absl::DataLossError("x"));
        break;
      case 2: {
        const absl::Status status = registry_.Unload(name);
        EXPECT_EQ(status.ok(), served_[which] > 0) << status;
        served_[which] = 0;
        break;
      }
      case 3:
        if (!held_.empty())
          held_.erase(held_.begin() + rng.NextBelow(held_.size()));
        break;
      case 4:
        if (!held_.empty()) Run(held_[rng.NextBelow(held_.size())]);
        break;
      default:
        Take(which, name);
    }
  }
  void Take(int which, const std::string& name) {
    absl::StatusOr<ModelLease> lease = registry_.Acquire(name);
    ASSERT_EQ(lease.ok(), served_[which] > 0) << lease.status();
    if (!lease.ok()) return;
    EXPECT_EQ((*lease)->generation(), served_[which]);
    held_.push_back({*std::move(lease), name, served_[which]});
  }
  // A held lease answers, whatever has happened to its name since.
  void Run(const Held& held) {
    EXPECT_EQ(held.lease->name(), held.name);
    EXPECT_EQ(held.lease->catalog().generation, held.generation);
    auto sink = std::make_shared<RecordingSink>();
    RequestSpec spec = Endless();
    spec.sequences[0].max_new_tokens = 2;
    ASSERT_OK(held.lease->scheduler().Submit(spec, sink));
    sink->WaitUntilDone();
    EXPECT_OK(*sink->done());
  }
  // Executors that are alive: those that are served, and those that are held.
  size_t Expected() const {
    std::set<std::pair<std::string, uint64_t>> alive;
    for (int i = 0; i < kNames; ++i) {
      if (served_[i] > 0) alive.insert({absl::StrCat("m", i), served_[i]});
    }
    for (const Held& held : held_) alive.insert({held.name, held.generation});
    return alive.size();
  }

  uint64_t generations_[kNames] = {0};
  uint64_t served_[kNames] = {0};  // 0: none.
  std::vector<Held> held_;
};

TEST_F(RandomWalkTest, LeasesAndStatesAgreeWithAModelOfThem) {
  ASSERT_OK(registry_.Load("m0", Loader()));
  served_[0] = generations_[0] = 1;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    CounterRng rng(seed);
    for (int i = 0; i < 40 && !HasFatalFailure(); ++i) Step(rng);
    ASSERT_TRUE(Eventually([&] {
      return alive_ == static_cast<int>(Expected()) &&
             registry_.List().size() == Expected();
    })) << alive_
        << " executors are alive, not " << Expected();
  }
  held_.clear();
  registry_.Stop();
  EXPECT_EQ(alive_, 0);
}

}  // namespace
}  // namespace alignsae
