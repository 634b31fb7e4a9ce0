#include "model/train/sae/trainer.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/io/tensor_file.h"
#include "model/train/common/mapped_tensor.h"
#include "model/train/sae/checkpoint.h"
#include "model/train/sae/class_means.h"
#include "model/train/sae/losses.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"
#include "tests/train/sae/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Batches of a few kilobytes: threads would only wait for each other.
class OneThread : public ::testing::Environment {
 public:
  void SetUp() override { at::set_num_threads(1); }
};
const ::testing::Environment* const kOneThread =
    ::testing::AddGlobalTestEnvironment(new OneThread);

void ExpectSameWeights(const TrainedSae& a, const TrainedSae& b) {
  EXPECT_TRUE(at::equal(a.weights.w_enc, b.weights.w_enc));
  EXPECT_TRUE(at::equal(a.weights.b_enc, b.weights.b_enc));
  EXPECT_TRUE(at::equal(a.weights.w_dec, b.weights.w_dec));
  EXPECT_TRUE(at::equal(a.weights.b_dec, b.weights.b_dec));
  EXPECT_TRUE(at::equal(a.heads.w2, b.heads.w2));
  ASSERT_EQ(a.log.size(), b.log.size());
  for (size_t i = 0; i < a.log.size(); ++i) {
    EXPECT_EQ(a.log[i].total, b.log[i].total);
  }
}

TEST(SaeTrainerTest, StageTwoBindsEachConceptToItsSlot) {
  const SaeDataset data = SyntheticResiduals();
  ASSERT_OK_AND_ASSIGN(const TrainedSae trained,
                       TrainSae(data, SmallSaeOptions(), {}));
  const at::Tensor pre =
      at::addmm(trained.weights.b_enc, data.residuals / trained.scale,
                trained.weights.w_enc);
  const at::Tensor top = pre.narrow(1, 0, 3).argmax(1);
  EXPECT_EQ((top == data.labels).to(at::kFloat).mean().item<float>(), 1);
  EXPECT_NEAR(trained.scale, MeanNorm(data.residuals), 1e-9);
  EXPECT_EQ(trained.shape.features(), 35);
}

TEST(SaeTrainerTest, EveryTermIsLoggedAndFallsInItsStage) {
  ASSERT_OK_AND_ASSIGN(const TrainedSae trained,
                       TrainSae(SyntheticResiduals(), SmallSaeOptions(), {}));
  ASSERT_EQ(trained.log.size(), 16u);
  const SaeEpochLog& first = trained.log.front();
  const SaeEpochLog& stage1_end = trained.log[3];
  const SaeEpochLog& stage2_start = trained.log[4];
  const SaeEpochLog& last = trained.log.back();
  EXPECT_EQ(first.epoch, 1);
  EXPECT_EQ(first.stage, 1);
  EXPECT_EQ(stage1_end.stage, 1);
  EXPECT_EQ(stage2_start.stage, 2);
  EXPECT_EQ(last.epoch, 16);
  // Stage 1 knows no labels.
  EXPECT_EQ(stage1_end.align, std::nullopt);
  EXPECT_EQ(stage1_end.perp, std::nullopt);
  EXPECT_EQ(stage1_end.val, std::nullopt);
  EXPECT_EQ(stage1_end.prefix, std::nullopt);
  EXPECT_NEAR(stage1_end.total, *stage1_end.recon + 1e-2 * *stage1_end.sparse,
              1e-6);
  EXPECT_LT(*stage1_end.recon, *first.recon / 2);
  EXPECT_LT(*last.align, *stage2_start.align / 2);
  EXPECT_LT(*last.val, *stage2_start.val);
  EXPECT_EQ(last.indep, std::nullopt);  // Weight 0.
  EXPECT_NEAR(last.total,
              *last.recon + 1e-2 * *last.sparse + *last.align + *last.perp +
                  0.5 * *last.val,
              1e-5);
  EXPECT_THAT(EpochLogLine(stage1_end), Not(HasSubstr("align")));
  EXPECT_THAT(EpochLogLine(last), HasSubstr("stage 2 total "));
}

TEST(SaeTrainerTest, WithoutPerpTheFreeFeaturesCarryMoreOfTheConcepts) {
  const SaeDataset data = SyntheticResiduals();
  // The cross-covariance after training, measured alike for both.
  const auto leak = [&](double perp) {
    SaeOptions options = SmallSaeOptions();
    options.stage2_epochs = 40;
    options.perp = perp;
    const TrainedSae trained = TrainSae(data, options, {}).value();
    const at::Tensor z = at::relu(at::addmm(trained.weights.b_enc,
                                            data.residuals / trained.scale,
                                            trained.weights.w_enc));
    return PerpLoss(z.narrow(1, 0, 3), z.narrow(1, 3, 32),
                    PerpForm::kCorrelation)
        .item<double>();
  };
  EXPECT_LT(leak(1), 0.8 * leak(0));
}

// What the first epoch of stage 2 logs when nothing has been learned yet.
TEST(SaeTrainerTest, PrefixIsOfStageTwoAndOfTheConceptSlotsAlone) {
  const SaeDataset data = SyntheticResiduals();
  SaeOptions options = SmallSaeOptions();
  options.stage1_epochs = options.stage2_epochs = 1;
  options.learning_rate = 0;
  options.prefix = 0.25;
  ASSERT_OK_AND_ASSIGN(const TrainedSae trained, TrainSae(data, options, {}));
  const SaeWeights& w = trained.weights;
  const at::Tensor x = data.residuals / trained.scale;
  const at::Tensor z = at::relu(at::addmm(w.b_enc, x, w.w_enc)).narrow(1, 0, 3);
  const double expected =
      PrefixLoss(x, z, w.w_dec.narrow(0, 0, 3), w.b_dec).item<double>();
  EXPECT_EQ(trained.log[0].prefix, std::nullopt);
  ASSERT_TRUE(trained.log[1].prefix.has_value());
  EXPECT_NEAR(*trained.log[1].prefix, expected, 1e-4 * expected);
  const SaeEpochLog& log = trained.log[1];
  EXPECT_NEAR(log.total,
              *log.recon + 1e-2 * *log.sparse + *log.align + *log.perp +
                  0.5 * *log.val + 0.25 * *log.prefix,
              1e-5);
}

TEST(SaeTrainerTest, WriteTurnsTheSlotsToTheirClassMeans) {
  const SaeDataset data = SyntheticResiduals();
  const auto lacking = [&](double write) {
    SaeOptions options = SmallSaeOptions();
    options.stage1_epochs = 1;
    options.stage2_epochs = 40;
    options.write = write;
    const TrainedSae trained = TrainSae(data, options, {}).value();
    EXPECT_EQ(trained.log.front().write, std::nullopt);  // Of stage 1.
    EXPECT_EQ(trained.log.back().write.has_value(), write > 0);
    const at::Tensor means =
        ClassMeans(data.residuals, OneHot(data.labels, 3)).value();
    return WriteLoss(trained.weights.w_dec.narrow(0, 0, 3).to(at::kDouble),
                     means - means.mean(0))
        .item<double>();
  };
  const double without = lacking(0);
  EXPECT_GT(without, 0.05);
  EXPECT_LT(lacking(1), 0.2 * without);
}

TEST(SaeTrainerTest, WriteNeedsARowOfEachConcept) {
  SaeDataset data = SyntheticResiduals();
  data.labels.masked_fill_(data.labels.eq(1), 0);
  SaeOptions options = SmallSaeOptions();
  options.write = 1;
  EXPECT_THAT(TrainSae(data, options, {}).status().message(),
              testing::HasSubstr("got none of concept 1"));
}

// How much of what tells the concepts apart the slots write: 1 when the slots'
// part of the reconstruction differs between classes as the residuals do.
double WrittenByTheSlots(const SaeDataset& data, const SaeOptions& options) {
  const TrainedSae trained = TrainSae(data, options, {}).value();
  const SaeWeights& w = trained.weights;
  const at::Tensor x = data.residuals / trained.scale;
  const at::Tensor z = at::relu(at::addmm(w.b_enc, x, w.w_enc)).narrow(1, 0, 3);
  const auto differences = [&](const at::Tensor& rows) {
    const at::Tensor means = ClassMeans(rows, OneHot(data.labels, 3)).value();
    return means - means.mean(0);
  };
  const at::Tensor wanted = differences(x);
  const at::Tensor written =
      differences(at::matmul(z, w.w_dec.narrow(0, 0, 3)));
  return ((written * wanted).sum() / wanted.square().sum()).item<double>();
}

TEST(SaeTrainerTest, WithPrefixTheSlotsWriteTheirConcepts) {
  SaeOptions options = SmallSaeOptions();
  options.stage2_epochs = 40;
  options.sparse = options.perp = 0;
  const SaeDataset data = SyntheticResiduals();
  const double without = WrittenByTheSlots(data, options);
  options.prefix = 1;
  const double with = WrittenByTheSlots(data, options);
  EXPECT_GT(with, 0.8);
  EXPECT_LT(without, 0.5);
}

// Each option, set off its default, changes what is computed, and the log of
// the epoch before any step says how.
TEST(SaeTrainerTest, FormsAndStartsAreWhatTheOptionsSay) {
  const SaeDataset data = SyntheticResiduals();
  const auto first_epoch = [&](auto&& change) {
    SaeOptions options = SmallSaeOptions();
    options.stage1_epochs = 0;
    options.stage2_epochs = 1;
    options.learning_rate = 0;
    change(options);
    return TrainSae(data, options, {}).value();
  };
  const TrainedSae plain = first_epoch([](SaeOptions&) {});
  const SaeWeights& w = plain.weights;
  const at::Tensor x = data.residuals / plain.scale;
  const at::Tensor pre = at::addmm(w.b_enc, x, w.w_enc);
  const at::Tensor slots = pre.narrow(1, 0, 3);
  const auto near = [](double value, const at::Tensor& expected) {
    EXPECT_NEAR(value, expected.item<double>(),
                1e-4 * std::abs(expected.item<double>()));
  };
  const AlignForm ce = AlignForm::kCrossEntropy, mse = AlignForm::kOneHot;
  near(*plain.log[0].align, AlignLoss(slots, data.labels, ce));
  near(*first_epoch([](SaeOptions& o) { o.align_form = "mse"; }).log[0].align,
       AlignLoss(slots, data.labels, mse));
  near(*first_epoch([](SaeOptions& o) { o.align_on = "z"; }).log[0].align,
       AlignLoss(at::relu(slots), data.labels, ce));
  near(
      *first_epoch([](SaeOptions& o) { o.sparse_form = "mean"; }).log[0].sparse,
      at::relu(pre.narrow(1, 3, 32)).mean());
  EXPECT_EQ(first_epoch([](SaeOptions& o) { o.scale = "none"; }).scale, 1);
  const TrainedSae linear =
      first_epoch([](SaeOptions& o) { o.init = "linear"; });
  EXPECT_TRUE(
      at::equal(linear.weights.w_enc,
                TrainableSae(linear.shape, x.mean(0), 1, SaeInit::kLinear)
                    .Export()
                    .w_enc));
  const TrainedSae means =
      first_epoch([](SaeOptions& o) { o.init = "class_means"; });
  const at::Tensor class_means = ClassMeans(x, OneHot(data.labels, 3)).value();
  EXPECT_TRUE(at::allclose(means.weights.w_dec.narrow(0, 0, 3).to(at::kDouble),
                           class_means - class_means.mean(0), 1e-4, 1e-5));
}

// Terms that only some activations have, and where sparsity belongs.
TEST(SaeTrainerTest, FurtherTermsAreWhatTheOptionsSay) {
  const SaeDataset data = SyntheticResiduals();
  const auto first_epoch = [&](auto&& change) {
    SaeOptions options = SmallSaeOptions();
    options.stage1_epochs = 0;
    options.stage2_epochs = 1;
    options.learning_rate = 0;
    options.batch_size = 240;
    change(options);
    return TrainSae(data, options, {}).value();
  };
  const TrainedSae plain = first_epoch([](SaeOptions&) {});
  const SaeWeights& w = plain.weights;
  const at::Tensor pre =
      at::addmm(w.b_enc, data.residuals / plain.scale, w.w_enc);
  const at::Tensor z = at::relu(pre.narrow(1, 3, 32));
  // Rows of norm 1 weigh alike.
  EXPECT_NEAR(*first_epoch([](SaeOptions& o) { o.sparse_norm = "decoder"; })
                   .log[0]
                   .sparse,
              *plain.log[0].sparse, 1e-4);
  const TrainedSae linear = first_epoch([](SaeOptions& o) {
    o.init = "linear";
    o.sparse_norm = "decoder";
  });
  const at::Tensor linear_z =
      at::relu(at::addmm(linear.weights.b_enc, data.residuals / linear.scale,
                         linear.weights.w_enc)
                   .narrow(1, 3, 32));
  EXPECT_NEAR(*linear.log[0].sparse,
              (linear_z * linear.weights.w_dec.narrow(0, 3, 32).norm(2, {1}))
                  .sum(1)
                  .mean()
                  .item<double>(),
              1e-4);
  EXPECT_NEAR(
      *first_epoch([](SaeOptions& o) { o.recon_form = "mean"; }).log[0].recon,
      *plain.log[0].recon / 24, 1e-5);
  EXPECT_NEAR(*first_epoch([](SaeOptions& o) {
                 o.activation = "jumprelu";
                 o.l0 = 1;
               })
                   .log[0]
                   .l0,
              z.gt(kJumpReluInitialThreshold)
                  .sum(1)
                  .to(at::kDouble)
                  .mean()
                  .item<double>(),
              1e-3);
  const SaeEpochLog second = TrainSae(data,
                                      [] {
                                        SaeOptions o = SmallSaeOptions();
                                        o.sparse_stages = "second";
                                        return o;
                                      }(),
                                      {})
                                 ->log.front();
  EXPECT_EQ(second.sparse, std::nullopt);
}

TEST(SaeTrainerTest, TheL0PenaltyLeavesFewerFeaturesActive) {
  const auto active = [](double l0) {
    SaeOptions options = SmallSaeOptions();
    options.activation = "jumprelu";
    options.sparse = 0;
    options.stage2_epochs = 40;
    options.l0 = l0;
    const SaeDataset data = SyntheticResiduals();
    const TrainedSae trained = TrainSae(data, options, {}).value();
    const at::Tensor pre =
        at::addmm(trained.weights.b_enc, data.residuals / trained.scale,
                  trained.weights.w_enc);
    return (pre > trained.weights.threshold)
        .narrow(1, 3, 32)
        .sum(1)
        .to(at::kDouble)
        .mean()
        .item<double>();
  };
  EXPECT_LT(active(0.2), 0.8 * active(0));
}

// Features that nothing wakes: their encoder looks away from all rows.
TEST(SaeTrainerTest, AuxWakesDeadFeatures) {
  SaeDataset data = SyntheticResiduals();
  const auto dead = [&](double aux) {
    SaeOptions options = SmallSaeOptions();
    options.free_features = 128;
    options.activation = "topk";
    options.k = 4;
    options.stage2_epochs = 30;
    options.aux = aux;
    options.aux_k = 32;
    options.dead_after = 240;
    const TrainedSae trained = TrainSae(data, options, {}).value();
    const at::Tensor pre =
        at::addmm(trained.weights.b_enc, data.residuals / trained.scale,
                  trained.weights.w_enc)
            .narrow(1, 3, 128);
    const at::Tensor kept = std::get<1>(at::topk(pre, 4, 1));
    const at::Tensor fired =
        at::zeros_like(pre).scatter(1, kept, 1.0).mul(pre.gt(0)).gt(0).any(0);
    return fired.logical_not().sum().item<int64_t>();
  };
  EXPECT_LT(dead(1), dead(0));
}

TEST(SaeTrainerTest, AStoppedRunKnowsWhichFeaturesAreDead) {
  const SaeDataset data = SyntheticResiduals();
  SaeOptions options = SmallSaeOptions();
  options.activation = "batchtopk";
  options.k = 2;
  options.aux = 1;
  options.dead_after = 100;
  ASSERT_OK_AND_ASSIGN(const TrainedSae whole, TrainSae(data, options, {}));
  TemporaryDirectory directory("sae_idle");
  SaeRun run;
  run.state_path = directory.File("state.safetensors");
  run.on_epoch = [](const SaeEpochLog& log, int) {
    return log.epoch == 7 ? absl::CancelledError("stop") : absl::OkStatus();
  };
  EXPECT_THAT(TrainSae(data, options, run),
              StatusIs(absl::StatusCode::kCancelled));
  run.on_epoch = nullptr;
  ASSERT_OK_AND_ASSIGN(const TrainedSae resumed, TrainSae(data, options, run));
  ExpectSameWeights(whole, resumed);
  EXPECT_TRUE(at::equal(whole.weights.threshold, resumed.weights.threshold));
}

TEST(SaeTrainerTest, ABatchTopKSaeIsServedAsAJumpReluWithOneThreshold) {
  SaeOptions options = SmallSaeOptions();
  options.activation = "batchtopk";
  options.k = 4;
  const SaeDataset data = SyntheticResiduals();
  ASSERT_OK_AND_ASSIGN(const TrainedSae trained, TrainSae(data, options, {}));
  EXPECT_EQ(trained.shape.activation, SaeActivation::kJumpRelu);
  EXPECT_EQ(trained.shape.k, 0);
  const at::Tensor threshold = trained.weights.threshold.narrow(0, 3, 32);
  EXPECT_GT(threshold[0].item<float>(), 0);
  EXPECT_TRUE(at::equal(threshold, threshold[0].expand({32})));
  // Rows alone keep about as many as in the batch.
  const at::Tensor pre =
      at::addmm(trained.weights.b_enc, data.residuals / trained.scale,
                trained.weights.w_enc)
          .narrow(1, 3, 32);
  EXPECT_NEAR(pre.gt(threshold).sum(1).to(at::kDouble).mean().item<double>(), 4,
              0.5);
}

TEST(SaeTrainerTest, OneBlockOfAFileGivesTheBitsOfMemory) {
  const SaeDataset data = SyntheticResiduals();
  ASSERT_OK_AND_ASSIGN(const TrainedSae memory,
                       TrainSae(data, SmallSaeOptions(), {}));
  TemporaryDirectory directory("sae_blocks");
  SaeDataset mapped = data;
  ASSERT_OK_AND_ASSIGN(mapped.residuals,
                       MakeMappedTensor(directory.path(), 240, 24));
  mapped.residuals.copy_(data.residuals);
  mapped.block_rows = 240;
  ASSERT_OK_AND_ASSIGN(const TrainedSae file,
                       TrainSae(mapped, SmallSaeOptions(), {}));
  ExpectSameWeights(memory, file);
}

// Another order: other bits, and as good an SAE.
TEST(SaeTrainerTest, BlocksTrainOnEveryRowOncePerEpoch) {
  SaeDataset data = SyntheticResiduals();
  SaeOptions options = SmallSaeOptions();
  options.learning_rate = 0;
  ASSERT_OK_AND_ASSIGN(const TrainedSae whole, TrainSae(data, options, {}));
  data.block_rows = 71;  // 4 blocks of 60.
  ASSERT_OK_AND_ASSIGN(const TrainedSae blocks, TrainSae(data, options, {}));
  EXPECT_NEAR(*blocks.log[0].recon, *whole.log[0].recon, 1e-5);
  EXPECT_NEAR(*blocks.log.back().align, *whole.log.back().align, 1e-5);
  ASSERT_OK_AND_ASSIGN(const TrainedSae trained,
                       TrainSae(data, SmallSaeOptions(), {}));
  const at::Tensor pre =
      at::addmm(trained.weights.b_enc, data.residuals / trained.scale,
                trained.weights.w_enc);
  EXPECT_TRUE(at::equal(pre.narrow(1, 0, 3).argmax(1), data.labels));
  data.block_rows = 3;
  EXPECT_THAT(TrainSae(data, options, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("block_rows: must be 0 or at least 4")));
}

TEST(SaeTrainerTest, AStartAtClassMeansNeedsRowsOfEveryConcept) {
  SaeDataset data = SyntheticResiduals();
  data.concepts = 4;
  SaeOptions options = SmallSaeOptions();
  options.init = "class_means";
  EXPECT_THAT(TrainSae(data, options, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("got none of concept 3")));
}

TEST(SaeTrainerTest, AllActivationsTrain) {
  for (const char* activation :
       {"identity", "relu", "topk", "batchtopk", "jumprelu"}) {
    SaeOptions options = SmallSaeOptions();
    options.activation = activation;
    options.k = 8;
    ASSERT_OK_AND_ASSIGN(const TrainedSae trained,
                         TrainSae(SyntheticResiduals(), options, {}));
    EXPECT_LT(*trained.log.back().recon, *trained.log.front().recon)
        << activation;
    EXPECT_EQ(trained.weights.threshold.defined(),
              trained.shape.activation == SaeActivation::kJumpRelu);
  }
}

TEST(SaeTrainerTest, TheSameSeedGivesTheSameBits) {
  const SaeDataset data = SyntheticResiduals();
  SaeOptions options = SmallSaeOptions();
  ASSERT_OK_AND_ASSIGN(const TrainedSae a, TrainSae(data, options, {}));
  ASSERT_OK_AND_ASSIGN(const TrainedSae b, TrainSae(data, options, {}));
  ExpectSameWeights(a, b);
  options.seed = 2;
  ASSERT_OK_AND_ASSIGN(const TrainedSae c, TrainSae(data, options, {}));
  EXPECT_FALSE(at::equal(a.weights.w_enc, c.weights.w_enc));
}

TEST(SaeTrainerTest, AStoppedRunGoesOnToTheSameBits) {
  const SaeDataset data = SyntheticResiduals();
  const SaeOptions options = SmallSaeOptions();
  ASSERT_OK_AND_ASSIGN(const TrainedSae whole, TrainSae(data, options, {}));
  // Stops in stage 1 between two checkpoints, at the border of the stages, and
  // in stage 2.
  TemporaryDirectory directory("sae_resume");
  std::filesystem::create_directories(directory.path());
  SaeRun run;
  run.state_path = directory.File("state.safetensors");
  for (int stop_at : {2, 4, 11}) {
    run.on_epoch = [&](const SaeEpochLog& log, int) {
      return log.epoch == stop_at ? absl::CancelledError("stop")
                                  : absl::OkStatus();
    };
    EXPECT_THAT(TrainSae(data, options, run),
                StatusIs(absl::StatusCode::kCancelled));
  }
  int first_epoch = 0;
  run.on_epoch = [&](const SaeEpochLog& log, int epochs) {
    EXPECT_EQ(epochs, 16);
    if (first_epoch == 0) first_epoch = log.epoch;
    return absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(const TrainedSae resumed, TrainSae(data, options, run));
  EXPECT_EQ(first_epoch, 12);  // A stop loses nothing.
  ExpectSameWeights(whole, resumed);
}

TEST(SaeTrainerTest, ADirectoryHasOneRunAtATime) {
  const SaeDataset data = SyntheticResiduals();
  const SaeOptions options = SmallSaeOptions();
  TemporaryDirectory directory("sae_two");
  SaeRun run, second;
  run.state_path = second.state_path = directory.File("state.safetensors");
  run.on_epoch = [&](const SaeEpochLog&, int) {
    return TrainSae(data, options, second).status();
  };
  EXPECT_THAT(TrainSae(data, options, run),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_OK(TrainSae(data, options, second));  // Once it has ended.
}

TEST(SaeTrainerTest, TheStateOfAnotherRunIsRefused) {
  const SaeDataset data = SyntheticResiduals();
  const SaeOptions options = SmallSaeOptions();
  TemporaryDirectory directory("sae_other_state");
  std::filesystem::create_directories(directory.path());
  SaeRun run;
  run.state_path = directory.File("state.safetensors");
  ASSERT_OK(TrainSae(data, options, run).status());
  const auto before = TreeOf(directory.path());
  const auto expect_refused = [&](auto&& change) {
    SaeOptions other = SmallSaeOptions();
    change(other);
    EXPECT_THAT(TrainSae(data, other, run),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("must be of the same data and options")));
  };
  expect_refused([](SaeOptions& o) { o.perp = 0.5; });
  expect_refused([](SaeOptions& o) { o.prefix = 0.5; });
  expect_refused([](SaeOptions& o) { o.align_form = "mse"; });
  expect_refused([](SaeOptions& o) { o.align_on = "z"; });
  expect_refused([](SaeOptions& o) { o.sparse_form = "mean"; });
  expect_refused([](SaeOptions& o) { o.init = "class_means"; });
  expect_refused([](SaeOptions& o) { o.scale = "none"; });
  expect_refused([](SaeOptions& o) { o.recon_form = "mean"; });
  expect_refused([](SaeOptions& o) { o.sparse_norm = "decoder"; });
  expect_refused([](SaeOptions& o) { o.sparse_stages = "second"; });
  SaeDataset blocks = data;
  blocks.block_rows = 100;
  EXPECT_THAT(TrainSae(blocks, options, run),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("must be of the same data and options")));
  SaeDataset other = data;
  other.residuals = data.residuals + 1;
  EXPECT_THAT(TrainSae(other, SmallSaeOptions(), run),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("must be of the same data and options")));
  EXPECT_THAT(Differences(before, TreeOf(directory.path())), IsEmpty());
}

// A checkpoint directory of a run over synthetic residuals, stopped half-way.
class MakeSaeTest : public ::testing::Test {
 protected:
  MakeSaeTest() : directory_("make_sae") {
    const SaeDataset data = SyntheticResiduals();
    inputs_.relations = {"a", "b", "c"};
    inputs_.train.labels = data.labels;
    inputs_.train.first_tokens = data.first_tokens;
    inputs_.train.by_hook[{HookKind::kResidPre, 2}] = data.residuals;
    inputs_.validation = inputs_.train;
    plan_.hook = {HookKind::kResidPost, 1};
    plan_.options = SmallSaeOptions();
    plan_.directory = directory_.path();
  }

  void StopAfter(int epochs) {
    int asked = 0;
    plan_.should_stop = [&] { return ++asked == epochs; };
    EXPECT_THAT(MakeSae(inputs_, plan_),
                StatusIs(absl::StatusCode::kCancelled));
    plan_.should_stop = nullptr;
  }
  void ExpectRefused(absl::StatusCode code, const std::string& words) {
    const auto before = TreeOf(directory_.path());
    EXPECT_THAT(MakeSae(inputs_, plan_), StatusIs(code, HasSubstr(words)));
    EXPECT_THAT(Differences(before, TreeOf(directory_.path())), IsEmpty());
  }

  TemporaryDirectory directory_;
  SaeInputs inputs_;
  SaePlan plan_;
};

TEST_F(MakeSaeTest, ARefusedRunLeavesItsDirectoryAsItWas) {
  plan_.options.free_features = 0;
  ExpectRefused(absl::StatusCode::kInvalidArgument, "free_features");
  plan_.options = SmallSaeOptions();
  StopAfter(5);
  plan_.options.perp = 0.5;
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "another run");
  plan_.options = SmallSaeOptions();
  const QuestionResiduals train = inputs_.train;
  inputs_.train.by_hook.at({HookKind::kResidPre, 2}) =
      train.by_hook.at({HookKind::kResidPre, 2}) + 1;
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "another run");
  inputs_.train = train;
  const std::string state = directory_.File("training.safetensors");
  std::string bytes = *ReadFile(state);
  bytes[bytes.size() - 5] ^= 1;
  ASSERT_OK(WriteFileAtomically(state, bytes));
  ExpectRefused(absl::StatusCode::kDataLoss, "damaged");
}

// Correlation divides by the slot's deviation: nothing holds the slots up.
TEST_F(MakeSaeTest, ASlotThatIsSilentWhereItsConceptIsAskedFailsTheRun) {
  plan_.options.align = plan_.options.val = 0;
  plan_.options.perp_form = "correlation";
  plan_.options.perp = 100;
  plan_.options.stage2_epochs = 40;
  const absl::Status status = MakeSae(inputs_, plan_).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("active_mean")));
  EXPECT_FALSE(FileExists(directory_.File("cfg.json")));
  EXPECT_FALSE(FileExists(directory_.File("sae_weights.safetensors")));
}

// Without a reconstruction the decoder stays as it was drawn: slots read and do
// not write.
TEST_F(MakeSaeTest, SlotsThatDoNotWriteFailTheRunUnlessTheyMay) {
  plan_.options.recon = plan_.options.sparse = 0;
  plan_.options.perp = plan_.options.val = 0;
  plan_.options.stage1_epochs = 0;
  plan_.allow_unwritten = false;
  EXPECT_THAT(MakeSae(inputs_, plan_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("cosine and written_share: must be above 0")));
  EXPECT_FALSE(FileExists(directory_.File("cfg.json")));
  plan_.allow_unwritten = true;
  EXPECT_OK(MakeSae(inputs_, plan_).status());
}

TEST_F(MakeSaeTest, TheLogHoldsTheTermsThatWereComputed) {
  StopAfter(5);
  const std::vector<std::string> lines =
      absl::StrSplit(*ReadFile(directory_.File("log.jsonl")), '\n');
  EXPECT_THAT(lines.at(0), HasSubstr("\"recon\""));
  EXPECT_THAT(lines.at(0), Not(HasSubstr("\"align\"")));  // Stage 1.
  EXPECT_THAT(lines.at(4), HasSubstr("\"align\""));
  EXPECT_THAT(lines.at(4), Not(HasSubstr("\"indep\"")));  // Weight 0.
}

TEST(SaeTrainerTest, MeansCoverEveryRowAlsoWhereOneIsLeftOver) {
  // The learning rate is 0: every epoch sees the same weights.
  const auto recon = [](int rows, int batch) {
    SaeDataset data = SyntheticResiduals();
    data.residuals = data.residuals.narrow(0, 0, rows);
    data.labels = data.labels.narrow(0, 0, rows);
    data.first_tokens = data.first_tokens.narrow(0, 0, rows);
    SaeOptions options = SmallSaeOptions();
    options.batch_size = batch;
    options.learning_rate = 0;
    return *TrainSae(data, options, {}).value().log.front().recon;
  };
  EXPECT_NEAR(recon(97, 48), recon(97, 97), 1e-6);
  EXPECT_NEAR(recon(3, 2), recon(3, 3), 1e-6);
}

TEST(SaeTrainerTest, BadOptionsAndDataAreRefusedByName) {
  const SaeDataset good = SyntheticResiduals();
  const auto expect_refused = [](const SaeDataset& data,
                                 const SaeOptions& options,
                                 const std::string& words) {
    EXPECT_THAT(TrainSae(data, options, {}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(words)));
  };
  SaeOptions options = SmallSaeOptions();
  options.free_features = 0;
  expect_refused(good, options, "free_features: must be in [1, ");
  options = SmallSaeOptions();
  options.activation = "gelu";
  expect_refused(good, options, "activation: must be one of identity, relu");
  options = SmallSaeOptions();
  options.activation = "topk";
  options.k = 33;
  expect_refused(good, options,
                 "k: must be at most free_features (32), got 33");
  options = SmallSaeOptions();
  options.l0 = 0.1;
  expect_refused(good, options,
                 "l0: must be 0 unless activation is jumprelu, got 0.1 with "
                 "relu");
  options = SmallSaeOptions();
  options.aux = 0.03;
  expect_refused(good, options,
                 "aux: must be 0 unless activation is topk or batchtopk, got "
                 "0.03 with relu");
  options = SmallSaeOptions();
  SaeDataset data = good;
  data.labels = good.labels + 1;
  expect_refused(data, options, "labels: must be in [-1, 2], got 3");
  data = good;
  data.first_tokens = good.first_tokens.narrow(0, 0, 10);
  expect_refused(data, options,
                 "first_tokens: must be int64 of shape [240], got Long of "
                 "shape [10]");
  data = good;
  data.residuals = good.residuals / 0.0;
  expect_refused(data, options, "residuals: must be finite");
}

TEST(SaeTrainerTest, ALossThatBlowsUpEndsTheRun) {
  SaeOptions options = SmallSaeOptions();
  options.learning_rate = 1;
  options.weight_decay = 10;  // Every step multiplies the matrices by -9.
  EXPECT_THAT(TrainSae(SyntheticResiduals(), options, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("loss: must be finite")));
}

TEST(SaeTrainerTest, ValueHeadsAreSavedBesideTheWeights) {
  ASSERT_OK_AND_ASSIGN(const TrainedSae trained,
                       TrainSae(SyntheticResiduals(), SmallSaeOptions(), {}));
  EXPECT_THAT(trained.heads.tokens,
              ::testing::ElementsAre(100, 101, 102, 103, 104, 105, 106));
  TemporaryDirectory directory("sae_heads");
  std::filesystem::create_directories(directory.path());
  const std::string path = directory.File("value_heads.safetensors");
  ASSERT_OK(SaveValueHeads(path, trained.heads));
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, SafetensorsFile::Open(path));
  ASSERT_OK_AND_ASSIGN(const at::Tensor w2,
                       ReadFloatTensor(file, "w2", {3, 8, 7}));
  EXPECT_TRUE(at::equal(w2, trained.heads.w2));
  EXPECT_EQ(file.Find("tokens")->dtype, DType::kI64);
}

}  // namespace
}  // namespace alignsae
