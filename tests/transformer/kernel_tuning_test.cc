#include "model/transformer/kernel_tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/gpt2/gpt2.h"
#include "model/kernels/small_gemm.h"
#include "model/transformer/kernel_plan.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Plans last as long as the process: each test has shapes of its own.
Gpt2 ModelOfWidth(int width, WeightType type = WeightType::kF32) {
  const Gpt2Config config = {.n_layer = 2,
                             .n_head = 2,
                             .d_model = width,
                             .d_inner = 3 * width + 2,
                             .context_length = 32,
                             .vocab_size = 61};
  return {config, WideWeights(config, 1), type};
}

constexpr int kShapes = 5;  // Of such a model.

class KernelTuningTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    cache_ =
        absl::StrCat(::testing::TempDir(), "/kernel_tuning_", test->name());
    std::filesystem::remove_all(cache_);
  }
  void TearDown() override { std::filesystem::remove_all(cache_); }

  // The file of plans, which is there.
  std::string Plans() const {
    return std::filesystem::directory_iterator(cache_ + "/kernel-plans")
        ->path()
        .string();
  }
  bool HasCache() const { return std::filesystem::exists(cache_); }

  std::string cache_;
};

TEST_F(KernelTuningTest, EveryChoiceCanRunForItsRows) {
  for (WeightType type :
       {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
    const KernelPlan plan(type);
    EXPECT_FALSE(plan.measured());
    for (int64_t rows : {1, 8, 9, 16, 128, 129, 256, 4096}) {
      EXPECT_TRUE(CanRun(plan.PathFor(rows), type, rows)) << rows;
    }
  }
}

TEST_F(KernelTuningTest, RowsBetweenTwoThatWereMeasuredGoWithTheLarger) {
  KernelPlan plan(WeightType::kF32);
  PlannedPaths paths = {};
  paths.fill(GemmPath::kOneDnn);
  paths[2] = GemmPath::kVectors;  // 4 rows
  plan.Take(paths);
  EXPECT_EQ(plan.PathFor(2), GemmPath::kOneDnn);
  EXPECT_EQ(plan.PathFor(3), GemmPath::kVectors);
  EXPECT_EQ(plan.PathFor(4), GemmPath::kVectors);
  EXPECT_EQ(plan.PathFor(5), GemmPath::kOneDnn);
  EXPECT_EQ(plan.PathFor(100000), GemmPath::kOneDnn);
  EXPECT_EQ(plan.Sentence(),
            "oneDNN to 2 rows, vectors to 4 rows, oneDNN beyond (measured)");
}

TEST_F(KernelTuningTest, ShapesAreMeasuredOnceAndKept) {
  const Gpt2 model = ModelOfWidth(24);
  EXPECT_THAT(KernelSentences(model), Each(HasSubstr("as built in")));
  const TuningOutcome first = TuneKernels(model, cache_);
  EXPECT_EQ(first.measured, kShapes);
  EXPECT_EQ(first.cached, 0);
  EXPECT_THAT(first.warnings, SizeIs(first.unsteady > 0 ? 1 : 0));
  EXPECT_THAT(KernelSentences(model), SizeIs(kShapes));
  EXPECT_THAT(KernelSentences(model), Each(HasSubstr("(measured)")));
  const TuningOutcome again = TuneKernels(model, cache_);
  EXPECT_EQ(again.measured + again.cached, 0);
  if (!HasCache()) GTEST_SKIP() << "nothing could be kept";
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(Plans()));
  ASSERT_OK_AND_ASSIGN(const nlohmann::json plans, ParseJson(text));
  EXPECT_EQ(plans.size(), static_cast<size_t>(kShapes - first.unsteady));
  for (const auto& plan : plans) EXPECT_EQ(plan.size(), kPlannedRows.size());
}

TEST_F(KernelTuningTest, KeptPlansAreTakenAndOthersMeasured) {
  TuneKernels(ModelOfWidth(26), cache_);
  if (!HasCache()) GTEST_SKIP() << "nothing could be kept";
  // Of a model of width 28: one is good, one does not exist, one is short.
  const GemmPath path = CanRun(GemmPath::kOneDnn, WeightType::kF32)
                            ? GemmPath::kOneDnn
                            : GemmPath::kVectors;
  const nlohmann::json all(kPlannedRows.size(), GemmPathName(path));
  nlohmann::json wrong = all;
  wrong[3] = "abacus";
  ASSERT_OK(WriteFileAtomically(
      Plans(), nlohmann::json({{"f32 28x84", all},
                               {"f32 28x28", wrong},
                               {"f32 28x86", {GemmPathName(path)}}})
                   .dump()));
  const TuningOutcome outcome = TuneKernels(ModelOfWidth(28), cache_);
  EXPECT_EQ(outcome.cached, 1);
  EXPECT_EQ(outcome.measured, kShapes - 1);
  EXPECT_THAT(PlanOf({WeightType::kF32, 28, 84}).paths(), Each(path));
}

TEST_F(KernelTuningTest, DamagedFileIsMeasuredAnew) {
  TuneKernels(ModelOfWidth(30), cache_);
  if (!HasCache()) GTEST_SKIP() << "nothing could be kept";
  ASSERT_OK(WriteFileAtomically(Plans(), "{\"f32 32x"));
  EXPECT_EQ(TuneKernels(ModelOfWidth(32), cache_).measured, kShapes);
}

TEST_F(KernelTuningTest, CacheThatCannotBeWrittenIsAWarning) {
  ASSERT_OK(WriteFileAtomically(cache_, "a file"));
  const TuningOutcome outcome = TuneKernels(ModelOfWidth(34), cache_);
  EXPECT_EQ(outcome.measured, kShapes);
  EXPECT_THAT(outcome.warnings, Not(IsEmpty()));
  EXPECT_THAT(outcome.warnings, Each(HasSubstr("measured again at ")));
}

TEST_F(KernelTuningTest, TunedAnswersInF32AreThoseOfBuiltInKernels) {
  const Gpt2 model = ModelOfWidth(64);
  const auto logits = [&model](int rows) {
    KvCache cache(model.facts(), rows, at::kCPU);
    std::vector<PackedRow> packed;
    std::vector<int32_t> tokens;
    for (int i = 0; i < rows; ++i) {
      packed.push_back(
          {.index = i, .kv_slot = i, .length = 2, .exit_site = 2, .logits = 1});
      tokens.insert(tokens.end(), {i % 61, (7 * i + 3) % 61});
    }
    return model.Forward(tokens, packed, cache, nullptr);
  };
  const at::Tensor one = logits(1), many = logits(20);
  TuneKernels(model, "");
  const auto expect_same = [](const at::Tensor& before,
                              const at::Tensor& after) {
    EXPECT_TRUE(at::allclose(before, after, 0, 1e-4));
    EXPECT_TRUE(at::equal(before.argmax(1), after.argmax(1)));
  };
  expect_same(one, logits(1));
  expect_same(many, logits(20));
}

}  // namespace
}  // namespace alignsae
