// Training as a whole: learns, repeats itself bit for bit, survives a stop, and
// refuses what it cannot continue.

#include "model/train/lm/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/gpt2/gpt2.h"
#include "model/io/tensor_file.h"
#include "model/train/common/checkpoint.h"
#include "model/train/lm/kept.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LmTrainerTest : public ::testing::Test {
 protected:
  // Matrices this small only lose by waiting for a second thread.
  void SetUp() override { at::set_num_threads(1); }

  absl::StatusOr<LmResult> Train(const TemporaryDirectory& directory,
                                 const LmOptions& options,
                                 int64_t stop_after = 0) {
    return TrainLm(
        texts_, options,
        {.directory = directory.path(), .stop_after_steps = stop_after});
  }
  static std::string Weights(const TemporaryDirectory& directory) {
    return *ReadFile(directory.File("gpt2/model.safetensors"));
  }
  static std::string State(const TemporaryDirectory& directory) {
    return *ReadFile(directory.File("training.safetensors"));
  }

  const LmTexts texts_ = LmTextsOf(SmallCorpus());
};

TEST_F(LmTrainerTest, TenStepsEqualFiveAndResumeAndFiveBitForBit) {
  LmOptions options = SmallOptions();
  const TemporaryDirectory whole("lm_whole"), parts("lm_parts");
  ASSERT_OK_AND_ASSIGN(const LmResult a, Train(whole, options));
  ASSERT_EQ(a.steps, 12);  // Six steps an epoch: step five is inside one.
  ASSERT_TRUE(a.finished);
  ASSERT_OK_AND_ASSIGN(const LmResult b, Train(parts, options, 5));
  EXPECT_EQ(b.steps, 5);
  EXPECT_FALSE(b.finished);
  EXPECT_NE(Weights(parts), Weights(whole));
  ASSERT_OK_AND_ASSIGN(const LmResult c, Train(parts, options, 5));
  EXPECT_EQ(c.steps, 10);
  ASSERT_OK_AND_ASSIGN(const LmResult d, Train(parts, options));
  EXPECT_TRUE(d.finished);
  EXPECT_EQ(Weights(parts), Weights(whole));
  EXPECT_EQ(State(parts), State(whole));
}

TEST_F(LmTrainerTest, SeedDecidesTheWeights) {
  LmOptions options = SmallOptions();
  options.epochs = 1;
  const TemporaryDirectory a("lm_a"), b("lm_b"), c("lm_c");
  ASSERT_THAT(Train(a, options), IsOk());
  ASSERT_THAT(Train(b, options), IsOk());
  EXPECT_EQ(State(a), State(b));
  options.seed = 4;
  ASSERT_THAT(Train(c, options), IsOk());
  EXPECT_NE(Weights(a), Weights(c));
}

TEST_F(LmTrainerTest, LearnsASmallCorpusByHeart) {
  LmOptions options = SmallOptions();
  options.width = 48;
  options.epochs = 40;
  options.learning_rate = 5e-3;
  options.warmup_steps = 10;
  options.wordings_per_epoch = 4;
  options.checkpoint_every = 100;
  const TemporaryDirectory directory("lm_overfit");
  ASSERT_OK_AND_ASSIGN(const LmResult result, Train(directory, options));
  EXPECT_LT(result.question_loss.value(), 0.1);
  EXPECT_GE(result.accuracy.asked.mean, 0.95);
  const auto log = [&] {
    std::vector<std::string> lines = absl::StrSplit(
        *ReadFile(directory.File("log.jsonl")), '\n', absl::SkipEmpty());
    return lines;
  }();
  ASSERT_EQ(log.size(), 40u);
  const auto first = nlohmann::json::parse(log.front());
  const auto last = nlohmann::json::parse(log.back());
  EXPECT_GT(first["biography_loss"], 4);
  EXPECT_LT(last["biography_loss"], 1);
  EXPECT_TRUE(nlohmann::json::parse(log[4]).contains("accuracy_never_asked"));
}

TEST_F(LmTrainerTest, WritesAModelThatTheServingSideLoads) {
  const TemporaryDirectory directory("lm_load");
  LmOptions options = SmallOptions();
  ASSERT_OK_AND_ASSIGN(const LmResult result, Train(directory, options));
  ASSERT_OK_AND_ASSIGN(const Gpt2 model, Gpt2::Load(directory.File("gpt2")));
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer,
                       Tokenizer::Load(directory.File("gpt2")));
  EXPECT_EQ(model.config().vocab_size, tokenizer.vocab_size());
  EXPECT_EQ(model.config().end_tokens,
            EndTokens::Only(tokenizer.eos_token_id()));
  ASSERT_OK_AND_ASSIGN(
      const ProbeResult probe,
      ProbeAccuracy(model, tokenizer, texts_, Split::kTest, 100));
  EXPECT_EQ(probe.asked.mean, result.accuracy.asked.mean);
  const auto record =
      nlohmann::json::parse(*ReadFile(directory.File("lm.json")));
  EXPECT_EQ(record["options"]["width"], 16);
  EXPECT_EQ(record["data_sha256"], texts_.hash);
}

TEST_F(LmTrainerTest, StartsFromAHuggingFaceDirectory) {
  const TemporaryDirectory base("lm_base"), tuned("lm_tuned");
  LmOptions options = SmallOptions();
  ASSERT_THAT(Train(base, options), IsOk());
  options.learning_rate = 0;  // So that the weights must come out as they went
  options.epochs = 1;         // in.
  options.layers = 7;         // The directory's shape counts.
  ASSERT_THAT(
      TrainLm(texts_, options,
              {.directory = tuned.path(), .init_from = base.File("gpt2")}),
      IsOk());
  EXPECT_EQ(Weights(tuned), Weights(base));
  EXPECT_EQ(*ReadFile(tuned.File("gpt2/vocab.json")),
            *ReadFile(base.File("gpt2/vocab.json")));
}

// Expects a refusal with these words that leaves the directory as it was.
#define EXPECT_REFUSED(run, code, words)                                   \
  do {                                                                     \
    const auto before = TreeOf(directory.path());                          \
    EXPECT_THAT(run, StatusIs(absl::StatusCode::code, HasSubstr(words)));  \
    EXPECT_THAT(Differences(before, TreeOf(directory.path())), IsEmpty()); \
  } while (false)

TEST_F(LmTrainerTest, RefusesToContinueARunWithOtherOptionsOrData) {
  const TemporaryDirectory directory("lm_other");
  LmOptions options = SmallOptions();
  ASSERT_OK_AND_ASSIGN(
      const Corpus other,
      GenerateCorpus({.people = 6, .biographies_per_person = 3, .seed = 9}));
  for (int64_t stop_after : {3, 0}) {  // Stopped, and finished.
    ASSERT_THAT(Train(directory, SmallOptions(), stop_after), IsOk());
    options.learning_rate = 0.5;
    EXPECT_REFUSED(Train(directory, options), kFailedPrecondition,
                   "learning_rate: must be the run's own to continue it, "
                   "0.002, got 0.5");
    EXPECT_REFUSED(TrainLm(LmTextsOf(other), SmallOptions(),
                           {.directory = directory.path()}),
                   kFailedPrecondition, "data_sha256");
  }
}

TEST_F(LmTrainerTest, HowOftenToProbeMayChangeOnTheWay) {
  const TemporaryDirectory directory("lm_probe");
  LmOptions options = SmallOptions();
  ASSERT_THAT(Train(directory, options, 3), IsOk());
  // How often to probe does not change the weights.
  options.probe_every = 1;
  EXPECT_THAT(Train(directory, options, 1), IsOk());
}

TEST_F(LmTrainerTest, KeepsModelsOnTheWayAndForgetsThoseOfAnotherRun) {
  const TemporaryDirectory directory("lm_kept");
  LmOptions options = SmallOptions();
  options.keep_every = 1;
  ASSERT_THAT(Train(directory, options, 7), IsOk());  // Six are an epoch.
  EXPECT_THAT(KeptEpochs(directory.path()), ::testing::ElementsAre(1));
  ASSERT_THAT(Train(directory, options), IsOk());
  EXPECT_THAT(KeptEpochs(directory.path()), ::testing::ElementsAre(1, 2));
  const auto weights = [&](int epoch) {
    return *ReadFile(KeptDirectory(directory.path(), epoch) +
                     "/model.safetensors");
  };
  EXPECT_EQ(weights(2), Weights(directory));
  EXPECT_NE(weights(1), Weights(directory));
  ASSERT_OK(Tokenizer::Load(KeptDirectory(directory.path(), 1)));
  options.keep_every = 2;
  ASSERT_OK(TrainLm(texts_, options,
                    {.directory = directory.path(), .restart = true}));
  EXPECT_THAT(KeptEpochs(directory.path()), ::testing::ElementsAre(2));
}

TEST_F(LmTrainerTest, RestartForgetsTheCheckpoint) {
  const TemporaryDirectory directory("lm_restart");
  ASSERT_THAT(Train(directory, SmallOptions(), 3), IsOk());
  ASSERT_OK_AND_ASSIGN(const LmResult result,
                       TrainLm(texts_, SmallOptions(),
                               {.directory = directory.path(),
                                .restart = true,
                                .stop_after_steps = 2}));
  EXPECT_EQ(result.steps, 2);
}

TEST_F(LmTrainerTest, ADirectoryHasOneRunAtATime) {
  const TemporaryDirectory directory("lm_two");
  absl::Status second;
  LmRun run = {.directory = directory.path()};
  run.should_stop = [&] {
    second = TrainLm(texts_, SmallOptions(), {.directory = directory.path()})
                 .status();
    return true;
  };
  ASSERT_OK(TrainLm(texts_, SmallOptions(), run));
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kAborted,
                               HasSubstr("is being written by another")));
  EXPECT_OK(Train(directory, SmallOptions()));  // Once it has ended.
}

TEST_F(LmTrainerTest, RefusesADamagedCheckpoint) {
  const TemporaryDirectory directory("lm_damaged");
  ASSERT_THAT(Train(directory, SmallOptions(), 3), IsOk());
  std::string state = State(directory);
  state[state.size() - 5] ^= 1;
  ASSERT_THAT(
      WriteFileAtomically(directory.File("training.safetensors"), state),
      IsOk());
  EXPECT_REFUSED(Train(directory, SmallOptions()), kDataLoss, "damaged");
}

TEST_F(LmTrainerTest, RefusesOptionsThatCannotBe) {
  const TemporaryDirectory directory("lm_bad");
  LmOptions options = SmallOptions();
  options.heads = 3;
  EXPECT_REFUSED(Train(directory, options), kInvalidArgument,
                 "width: must be a multiple of heads (3), got 16");
  options = SmallOptions();
  options.context = 20;
  EXPECT_REFUSED(Train(directory, options), kInvalidArgument,
                 "context: must be at least");
  EXPECT_REFUSED(TrainLm(texts_, SmallOptions(),
                         {.directory = directory.path(), .device = "tpu"}),
                 kInvalidArgument, "device: must be cpu, cuda or cuda:N");
  options = SmallOptions();
  options.matmul = "tf32";
  EXPECT_REFUSED(Train(directory, options), kInvalidArgument,
                 "matmul: must be f32 on the cpu, got \"tf32\"");
}

nlohmann::json JsonOf(const std::string& path) {
  return nlohmann::json::parse(ReadFile(path).value());
}

TEST_F(LmTrainerTest, LossesOfAnEpochCoverAllOfItAlsoAfterAStop) {
  const TemporaryDirectory whole("lm_sums"), parts("lm_sums_parts");
  ASSERT_OK_AND_ASSIGN(const LmResult a, Train(whole, SmallOptions()));
  ASSERT_THAT(Train(parts, SmallOptions(), 4), IsOk());  // Six steps an epoch.
  ASSERT_THAT(Train(parts, SmallOptions(), 4), IsOk());
  ASSERT_OK_AND_ASSIGN(const LmResult b, Train(parts, SmallOptions()));
  EXPECT_EQ(a.biography_loss, b.biography_loss);
  EXPECT_EQ(a.question_loss, b.question_loss);
  for (const char* name : {"biography_loss", "question_loss"}) {
    EXPECT_EQ(JsonOf(whole.File("lm.json"))[name],
              JsonOf(parts.File("lm.json"))[name]);
  }
  const auto losses_of = [](const TemporaryDirectory& directory) {
    std::vector<nlohmann::json> losses;
    for (absl::string_view line : absl::StrSplit(
             *ReadFile(directory.File("log.jsonl")), '\n', absl::SkipEmpty())) {
      const auto json = nlohmann::json::parse(line);
      losses.push_back({json["biography_loss"], json["question_loss"]});
    }
    return losses;
  };
  EXPECT_EQ(losses_of(whole).size(), 2u);
  EXPECT_EQ(losses_of(whole), losses_of(parts));
}

TEST_F(LmTrainerTest, TheResultOfAFinishedRunIsWrittenAgainAsItWas) {
  const TemporaryDirectory directory("lm_again");
  ASSERT_THAT(Train(directory, SmallOptions()), IsOk());
  const std::string result = *ReadFile(directory.File("lm.json"));
  std::filesystem::remove(directory.File("lm.json"));
  ASSERT_THAT(Train(directory, SmallOptions()), IsOk());
  EXPECT_EQ(*ReadFile(directory.File("lm.json")), result);
}

TEST_F(LmTrainerTest, ALossThatNoStepMeasuredIsNull) {
  const TemporaryDirectory directory("lm_null");
  ASSERT_THAT(Train(directory, SmallOptions()), IsOk());
  // A state that does not know the sums of its last epoch.
  const std::string path = directory.File("training.safetensors");
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, SafetensorsFile::Open(path));
  std::map<std::string, std::string> metadata = file.header().metadata;
  metadata.erase("epoch_sums");
  metadata.erase("content_sha256");
  NamedTensors tensors;
  for (const auto& [name, entry] : file.header().tensors) {
    ASSERT_OK_AND_ASSIGN(const at::Tensor tensor,
                         ReadFloatTensor(file, name, entry.shape));
    tensors.emplace_back(name, tensor);
  }
  ASSERT_THAT(WriteTrainingState(path, tensors, metadata), IsOk());
  std::filesystem::remove(directory.File("lm.json"));
  ASSERT_OK_AND_ASSIGN(const LmResult result, Train(directory, SmallOptions()));
  EXPECT_FALSE(result.biography_loss.has_value());
  EXPECT_TRUE(JsonOf(directory.File("lm.json"))["biography_loss"].is_null());
  EXPECT_TRUE(
      JsonOf(directory.File("lm.json"))["accuracy_asked"]["mean"].is_number());
}

TEST_F(LmTrainerTest, AResultNeverStandsBesideTheWeightsOfAnotherRun) {
  const TemporaryDirectory directory("lm_stale");
  ASSERT_THAT(Train(directory, SmallOptions()), IsOk());
  LmOptions options = SmallOptions();
  options.seed = 8;
  ASSERT_THAT(TrainLm(texts_, options,
                      {.directory = directory.path(),
                       .restart = true,
                       .stop_after_steps = 2}),
              IsOk());
  EXPECT_FALSE(FileExists(directory.File("lm.json")));
  EXPECT_THAT(*ReadFile(directory.File("log.jsonl")), IsEmpty());
}

TEST_F(LmTrainerTest, StopsWithACheckpointWhenAskedTo) {
  const TemporaryDirectory directory("lm_stop");
  int asked = 0;
  ASSERT_OK_AND_ASSIGN(const LmResult result,
                       TrainLm(texts_, SmallOptions(),
                               {.directory = directory.path(),
                                .should_stop = [&] { return ++asked == 4; }}));
  EXPECT_EQ(result.steps, 4);
  EXPECT_FALSE(result.finished);
  EXPECT_TRUE(FileExists(directory.File("training.safetensors")));
  EXPECT_FALSE(FileExists(directory.File("lm.json")));
}

}  // namespace
}  // namespace alignsae
