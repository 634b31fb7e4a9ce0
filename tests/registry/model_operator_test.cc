#include "server/registry/model_operator.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "model/base/status_payload.h"
#include "tests/support/fake_step_executor.h"
#include "tests/support/small_catalog.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A shelf with directories that hold a bundle.json, and loaders that make of
// each setup what an engine would: a catalog of the checkpoints.
class ModelOperatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::path(::testing::TempDir()) /
            absl::StrCat("model_operator_", test->name());
    fs::remove_all(root_);
    for (const char* name : {"one", "two", "extra"}) Put(name, "1");
    root_ = fs::canonical(root_);
    options_.setup.model_directory = (root_ / "one").string();
    options_.bundles_directory = root_.string();
  }
  void TearDown() override { fs::remove_all(root_); }

  void Put(const std::string& name, const std::string& version) {
    fs::create_directories(root_ / name);
    std::ofstream(root_ / name / "next") << version;
    fs::rename(root_ / name / "next", root_ / name / "bundle.json");
  }

  // As LoadEngine does, but for the directories.
  absl::StatusOr<LoadedModel> Make(const EngineSetup& setup, bool beside) {
    setups_.push_back(setup);
    beside_.push_back(beside);
    if (during_load) during_load();
    if (!fails_.ok()) return fails_;
    auto catalog = std::make_shared<Catalog>(*SmallCatalog());
    catalog->model.version =
        fs::path(setup.model_directory).filename().string();
    catalog->checkpoints = {SmallCheckpoint("main", 1, false)};
    if (setup.base != nullptr) catalog->checkpoints = serving_;
    for (const CheckpointSource& put : setup.put) {
      auto& all = catalog->checkpoints;
      const auto same = std::find_if(
          all.begin(), all.end(),
          [&](const CheckpointInfo& info) { return info.name == put.name; });
      if (same != all.end() && put.only_if_absent) continue;
      CheckpointInfo info = SmallCheckpoint(put.name, 1, false);
      info.version = "extra";
      if (same != all.end()) {
        *same = info;
      } else {
        all.push_back(info);
      }
    }
    std::erase_if(catalog->checkpoints, [&](const CheckpointInfo& info) {
      return info.name == setup.without;
    });
    serving_ = catalog->checkpoints;
    return LoadedModel{
        catalog,
        SmallTokenizer(),
        std::make_shared<FakeStepExecutor>(4),
        {},
        {},
        // Only ever compared with null.
        std::shared_ptr<const Bundle>(std::make_shared<int>(0),
                                      reinterpret_cast<const Bundle*>(this))};
  }

  ModelOperator& models() {
    if (operator_ == nullptr) {
      operator_ = std::make_unique<ModelOperator>(
          options_, &registry_, &metrics_.generations(),
          LoadingEnv{[this](const EngineSetup& setup, bool beside) {
                       return [this, setup, beside] {
                         return Make(setup, beside);
                       };
                     },
                     [this](const EngineSetup&) { return need_; },
                     [this] { return free_; },
                     [](const CheckpointSource& source)
                         -> absl::StatusOr<std::string> {
                       return source.name.empty() ? "extra" : source.name;
                     }});
    }
    return *operator_;
  }
  static std::vector<std::string> Names(const GenerationInfo& info) {
    std::vector<std::string> names;
    for (const auto& checkpoint : info.checkpoints) {
      names.push_back(
          absl::StrCat(checkpoint.name, " ", checkpoint.generation));
    }
    return names;
  }
  std::string Loads(const std::string& result) {
    const std::string text = metrics_.ExpositionText();
    const std::string series =
        absl::StrCat("alignsae_model_loads_total{model=\"default\",result=\"",
                     result, "\"} ");
    const size_t at = text.find(series);
    if (at == std::string::npos) return "none";
    const size_t begin = at + series.size();
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  fs::path root_;
  ModelOperator::Options options_;
  absl::StatusOr<MemoryNeed> need_ = MemoryNeed();
  int64_t free_ = int64_t{1} << 40;
  absl::Status fails_;
  std::function<void()> during_load;
  std::vector<EngineSetup> setups_;
  std::vector<bool> beside_;
  std::vector<CheckpointInfo> serving_;
  RealClock clock_;
  Metrics metrics_{{}, "test"};
  ModelRegistry registry_{{SchedulerOptions(), &clock_, &metrics_}};
  std::unique_ptr<ModelOperator> operator_;
};

TEST_F(ModelOperatorTest, AReloadTakesAnotherBundleAndKeepsToIt) {
  ASSERT_OK(models().LoadFirst());
  EXPECT_THAT(beside_, ElementsAre(false));
  ASSERT_OK_AND_ASSIGN(GenerationInfo info, models().ReloadModel("", "two"));
  EXPECT_EQ(info.generation, 2u);
  EXPECT_EQ(info.state, ModelState::kReady);
  EXPECT_EQ(info.version, "two");
  EXPECT_THAT(Names(info), ElementsAre("main 2"));
  ASSERT_OK_AND_ASSIGN(info, models().ReloadModel("default", ""));
  EXPECT_EQ(info.version, "two");
  EXPECT_THAT(beside_, ElementsAre(false, true, true));
  EXPECT_EQ(Loads("ok"), "3");
  EXPECT_THAT(models().ReloadModel("other", ""),
              StatusIs(absl::StatusCode::kNotFound,
                       "model: must be one that is served, got \"other\""));
  EXPECT_THAT(models().ReloadModel("", "../one"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name")));
}

TEST_F(ModelOperatorTest, CheckpointsComeInTheirPlaceOrBesideAndGo) {
  ASSERT_OK(models().LoadFirst());
  ASSERT_OK_AND_ASSIGN(GenerationInfo info,
                       models().LoadCheckpoint({"", "extra", "", "new"}));
  EXPECT_THAT(Names(info), ElementsAre("main 1", "new 2"));
  EXPECT_NE(setups_.back().base, nullptr);
  ASSERT_OK_AND_ASSIGN(info,
                       models().LoadCheckpoint({"", "extra", "", "main"}));
  EXPECT_THAT(Names(info), ElementsAre("main 3", "new 2"));
  EXPECT_THAT(models().UnloadCheckpoint("", "main"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("must not be the default")));
  EXPECT_THAT(models().UnloadCheckpoint("", "none"),
              StatusIs(absl::StatusCode::kNotFound,
                       "checkpoint: must be one that is loaded, got \"none\""));
  ASSERT_OK_AND_ASSIGN(info, models().UnloadCheckpoint("", "new"));
  EXPECT_THAT(Names(info), ElementsAre("main 3"));
}

TEST_F(ModelOperatorTest, AReloadKeepsWhatTheBundleDoesNotHave) {
  ASSERT_OK(models().LoadFirst());
  for (const char* name : {"new", "main", "gone", "new"}) {
    ASSERT_OK(models().LoadCheckpoint({"", "extra", "", name}));
  }
  ASSERT_OK(models().UnloadCheckpoint("", "gone"));
  ASSERT_OK_AND_ASSIGN(const GenerationInfo info,
                       models().ReloadModel("", "two"));
  EXPECT_THAT(Names(info), ElementsAre("main 7", "new 7"));
  EXPECT_EQ(info.checkpoints[0].version, "");  // The bundle's own.
  EXPECT_EQ(info.checkpoints[1].version, "extra");
}

TEST_F(ModelOperatorTest, WhatFailsChangesNothingAndTellsNoPath) {
  ASSERT_OK(models().LoadFirst());
  fails_ = absl::DataLossError(
      absl::StrCat((root_ / "two").string(), "/gpt2/x: must be whole"));
  EXPECT_THAT(models().ReloadModel("", "two"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "two/gpt2/x: must be whole"));
  EXPECT_EQ(registry_.Info(kDefaultModel)->generation, 1u);
  const std::vector<GenerationInfo> history = registry_.History();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].state, ModelState::kGone);
  EXPECT_EQ(history[0].why, "two/gpt2/x: must be whole");
  EXPECT_EQ(history[1].state, ModelState::kReady);
  fails_ = absl::DataLossError(
      absl::StrCat((root_ / "one").string(), "/gpt2/x: must be whole"));
  EXPECT_EQ(models().ReloadModel("", "").status().message(),
            "model/gpt2/x: must be whole");
  EXPECT_EQ(Loads("failed"), "2");
  fails_ = absl::OkStatus();
  // The bundle that failed is not the model's.
  EXPECT_EQ(models().ReloadModel("", "")->version, "one");
}

TEST_F(ModelOperatorTest, ALoadWithoutItsMemoryIsRefusedBeforeItBegins) {
  ASSERT_OK(models().LoadFirst());
  need_ = MemoryNeed{5 << 20, 20 << 20, 1, 3 << 20};
  free_ = need_->total();
  EXPECT_OK(models().ReloadModel("", "two"));
  --free_;
  const absl::Status refused = models().ReloadModel("", "two").status();
  EXPECT_THAT(refused,
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "memory: must have 29 MiB free for this load (5 of "
                       "weights, 20 more while they are read, 1 of "
                       "checkpoints, 3 of KV cache), got 28"));
  EXPECT_FALSE(RetryAfterOf(refused).has_value());
  EXPECT_EQ(setups_.size(), 2u);
  EXPECT_EQ(Loads("refused"), "1");
  EXPECT_EQ(registry_.Info(kDefaultModel)->generation, 2u);
}

TEST_F(ModelOperatorTest, OneChangeAtATime) {
  ASSERT_OK(models().LoadFirst());
  absl::Notification loading, go;
  during_load = [&] {
    loading.Notify();
    go.WaitForNotification();
  };
  std::thread first([&] { EXPECT_OK(models().ReloadModel("", "two")); });
  loading.WaitForNotification();
  const absl::Status second = models().ReloadModel("", "two").status();
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kResourceExhausted,
                               HasSubstr("is loading something")));
  EXPECT_TRUE(RetryAfterOf(second).has_value());
  EXPECT_EQ(registry_.List().front().state, ModelState::kReady);
  EXPECT_EQ(registry_.List().back().state, ModelState::kLoading);
  go.Notify();
  first.join();
  during_load = nullptr;
  EXPECT_OK(models().ReloadModel("", ""));
}

TEST_F(ModelOperatorTest,
       AReloadIsTriedAgainWhenTheBundleWasReplacedMeanwhile) {
  ASSERT_OK(models().LoadFirst());
  int loads = 0;
  during_load = [&] {
    ++loads;
    fails_ = loads < 3 ? absl::DataLossError("two versions") : absl::OkStatus();
    if (loads < 3) Put("two", absl::StrCat("version ", loads));
  };
  EXPECT_OK(models().ReloadModel("", "two"));
  EXPECT_EQ(loads, 3);
  during_load = [&] {
    ++loads;
    fails_ = absl::DataLossError("two versions");
  };
  EXPECT_THAT(models().ReloadModel("", "two"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "two versions"));
  EXPECT_EQ(loads, 4);  // It was not replaced: no other try.
}

TEST_F(ModelOperatorTest, ReloadsWhatHasChangedOnDiskOnce) {
  ASSERT_OK(models().LoadFirst());
  const auto generation = [&] {
    models().ReloadChanged();
    return registry_.Info(kDefaultModel)->generation;
  };
  EXPECT_EQ(generation(), 1u);
  Put("one", "another");
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(generation(), 2u);
  Put("one", "bad");
  fails_ = absl::DataLossError("bad");
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(setups_.size(), 3u);
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(setups_.size(), 3u);  // Until it changes.
  fails_ = absl::OkStatus();
  EXPECT_EQ(generation(), 2u);
  Put("one", "good");
  EXPECT_EQ(generation(), 3u);
  fs::remove_all(root_ / "one");  // It may come back.
  EXPECT_EQ(generation(), 3u);
  Put("one", "back");
  EXPECT_EQ(generation(), 4u);
  // Too large today is tried again.
  Put("one", "large");
  need_->cache = free_ + 1;
  EXPECT_EQ(generation(), 4u);
  need_->cache = 0;
  EXPECT_EQ(generation(), 5u);
}

TEST_F(ModelOperatorTest, SeveralModelsGoByTheirNames) {
  ASSERT_OK(models().LoadFirst());
  ASSERT_OK(models().LoadAnother("two"));
  EXPECT_THAT(registry_.Names(), ElementsAre("small", "two"));
  EXPECT_THAT(models().LoadAnother("two"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "models: must be other ones than those before it, got "
                       "\"two\""));
  EXPECT_FALSE(models().LoadAnother("small").ok());
  EXPECT_FALSE(models().LoadAnother("none").ok());
  ASSERT_OK_AND_ASSIGN(GenerationInfo info, models().ReloadModel("new", "one"));
  EXPECT_EQ(info.model, "new");
  EXPECT_EQ(info.generation, 1u);
  EXPECT_THAT(models().ReloadModel("a/b", "one"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model")));
  ASSERT_OK_AND_ASSIGN(info, models().ReloadModel("small", ""));
  EXPECT_EQ(info.model, kDefaultModel);
  EXPECT_EQ(info.generation, 2u);
  EXPECT_EQ((*registry_.Acquire(""))->name(), kDefaultModel);
  EXPECT_EQ((*registry_.Acquire("small"))->name(), kDefaultModel);
  EXPECT_EQ((*registry_.Acquire("new"))->catalog().model.name, "new");
  EXPECT_EQ(registry_.Acquire("other").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ModelOperatorTest, TheFirstLoadIsRefusedForMemoryToo) {
  need_ = MemoryNeed{.weights = 64 << 20};
  free_ = 63 << 20;
  EXPECT_THAT(models().LoadFirst(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("must have 64 MiB free for this load")));
  EXPECT_TRUE(setups_.empty());
  EXPECT_EQ(Loads("refused"), "1");
  need_ = absl::DataLossError("unknown");  // The loader says what is wrong.
  EXPECT_OK(models().LoadFirst());
}

TEST_F(ModelOperatorTest, AModelBesideTheDefaultOneIsTakenAway) {
  ASSERT_OK(models().LoadFirst());
  ASSERT_OK(models().LoadAnother("two"));
  EXPECT_THAT(registry_.Names(), ElementsAre("small", "two"));
  ASSERT_OK_AND_ASSIGN(const GenerationInfo gone, models().UnloadModel("two"));
  EXPECT_EQ(gone.model, "two");
  EXPECT_TRUE(gone.state == ModelState::kDraining ||
              gone.state == ModelState::kGone);
  EXPECT_THAT(registry_.Names(), ElementsAre("small"));
  EXPECT_EQ(models().UnloadModel("two").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(models().ReloadModel("two", "").status().code(),
            absl::StatusCode::kNotFound);
  Put("two", "3");  // Nobody watches it any more.
  models().ReloadChanged();
  EXPECT_THAT(registry_.Names(), ElementsAre("small"));
  ASSERT_OK_AND_ASSIGN(const GenerationInfo back,
                       models().ReloadModel("two", "two"));
  EXPECT_EQ(back.generation, 2u);
  for (const char* name : {"default", "small"}) {
    EXPECT_EQ(models().UnloadModel(name).status().code(),
              absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_THAT(models().UnloadModel(""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "model: must be given, got none"));
}

TEST_F(ModelOperatorTest, ARolloutNamesCheckpointsBesideTheDefaultOne) {
  ASSERT_OK(models().LoadFirst());
  ASSERT_OK(models().LoadCheckpoint({"", "extra", "", ""}).status());
  EXPECT_THAT(models().SetRollout("", {"other", "", 0}),
              StatusIs(absl::StatusCode::kNotFound,
                       "rollout.shadow: must be a checkpoint that is loaded, "
                       "got \"other\""));
  EXPECT_THAT(models().SetRollout("", {"", "main", 0.5}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "rollout.canary: must be another one than the default "
                       "checkpoint, got \"main\""));
  EXPECT_THAT(models().SetRollout("", {"", "extra", 1.5}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "rollout.canary_fraction: must be in [0, 1], got 1.5"));
  EXPECT_EQ(models().SetRollout("", {"", "", 0.5}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(models().SetRollout("x", {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_.rollouts().Of(kDefaultModel), Rollout());
  ASSERT_OK(models().SetRollout("small", {"extra", "extra", 1}).status());
  ModelLease lease = *registry_.Acquire("");
  EXPECT_EQ(lease->DefaultCheckpoint("any"), 1);
  // In a generation without it the default one answers.
  ASSERT_OK(models().UnloadCheckpoint("", "extra").status());
  EXPECT_EQ((*registry_.Acquire(""))->DefaultCheckpoint("any"), 0);
  ASSERT_OK(models().SetRollout("", {}).status());
  EXPECT_EQ(lease->DefaultCheckpoint("any"), 0);
}

TEST(RolloutTest, ThePartOfTheRequestsIsTheSameEverywhere) {
  const Rollout tenth{"", "next", 0.1};
  int taken = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::string id = absl::StrCat("request-", i);
    taken += TakesCanary(tenth, id) ? 1 : 0;
    EXPECT_EQ(TakesCanary(tenth, id), TakesCanary(tenth, id));
    if (TakesCanary(tenth, id)) {  // A larger part holds the smaller one.
      EXPECT_TRUE(TakesCanary({"", "next", 0.2}, id));
    }
    EXPECT_TRUE(TakesCanary({"", "next", 1}, id));
    EXPECT_FALSE(TakesCanary({"", "next", 0}, id));
    EXPECT_FALSE(TakesCanary({"next", "", 1}, id));
  }
  EXPECT_NEAR(taken, 1000, 100);  // 3.3 standard deviations.
  // Other processes and versions of the server must agree.
  EXPECT_TRUE(TakesCanary({"", "next", 0.6771}, "request-0"));
  EXPECT_FALSE(TakesCanary({"", "next", 0.6769}, "request-0"));
}

}  // namespace
}  // namespace alignsae
