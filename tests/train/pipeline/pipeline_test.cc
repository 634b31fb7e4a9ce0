// The pipeline on a model that is far too small to learn anything: what is
// checked is that every stage runs, is skipped when done, goes on when stopped,
// and gives the same bits. tiny_pipeline_test.cc checks the figures.

#include "model/train/pipeline/pipeline.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "model/base/file.h"
#include "model/bundle/bundle.h"
#include "model/train/eval/baselines.h"
#include "model/train/eval/compare.h"
#include "model/train/eval/eval.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class OneThread : public ::testing::Environment {
 public:
  void SetUp() override { at::set_num_threads(1); }
};
const ::testing::Environment* const kOneThread =
    ::testing::AddGlobalTestEnvironment(new OneThread);

TrainPreset MicroPreset() {
  TrainPreset preset = *FindPreset("tiny");
  preset.data.people = 4;
  preset.data.biographies_per_person = 2;
  preset.lm = SmallOptions();
  preset.sae.free_features = 16;
  preset.sae.stage1_epochs = 2;
  preset.sae.stage2_epochs = 40;
  preset.sae.learning_rate = 0.01;
  preset.sae.init = "class_means";  // Every slot must rise.
  preset.sae.value_hidden = 4;
  preset.sae.checkpoint_every = 1;
  preset.eval.alphas = "0.5,1";
  preset.eval.modes = "SWAP,ADD_NORM_MATCHED";
  preset.eval.rows = 16;
  preset.eval.max_tokens = 3;
  preset.pipeline.layers = "0,1";
  preset.pipeline.baselines = "all";
  return preset;
}

class PipelineTest : public ::testing::Test {
 protected:
  explicit PipelineTest() : directory_("pipeline_test") {}

  PipelineRun RunIn(const std::string& name) {
    PipelineRun run;
    run.work = directory_.File(name + "_work");
    run.out = directory_.File(name + "_bundle");
    run.commit = "abc123";
    return run;
  }

  TemporaryDirectory directory_;
};

TEST_F(PipelineTest, MakesABundleThatLoadsAndCanBeMeasuredAgain) {
  const PipelineRun run = RunIn("whole");
  const TrainPreset preset = MicroPreset();
  ASSERT_OK_AND_ASSIGN(const nlohmann::json evaluation,
                       RunPipeline(preset, run));
  for (const std::string& name : BaselineNames()) {
    EXPECT_TRUE(evaluation["baselines"][name].contains("swap")) << name;
  }
  EXPECT_EQ(evaluation["selection"]["layers"].size(), 2u);
  ASSERT_OK_AND_ASSIGN(const std::string sae_log,
                       ReadFile(run.work + "/sae/resid_post_1/log.jsonl"));
  EXPECT_EQ(std::count(sae_log.begin(), sae_log.end(), '\n'),
            preset.sae.stage1_epochs + preset.sae.stage2_epochs);
  EXPECT_EQ(evaluation["test"]["swap"]["alpha_curve"].size(), 2u);

  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<const Bundle> bundle,
                       LoadBundle(run.out, {.whole_sae = true}));
  const CheckpointInfo& checkpoint = bundle->catalog->checkpoints.at(0);
  EXPECT_EQ(checkpoint.name, "main");
  EXPECT_EQ(checkpoint.concepts.at(1).name, "birth_city");
  EXPECT_EQ(checkpoint.concepts.at(1).slot, 1);
  EXPECT_EQ(std::string(InterventionModeName(*checkpoint.recommended_mode)),
            evaluation["chosen"]["mode"].get<std::string>());
  EXPECT_EQ(checkpoint.hook.ToString(),
            evaluation["chosen"]["hook"].get<std::string>());
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       ReadFile(run.out + "/bundle.json"));
  ASSERT_OK_AND_ASSIGN(const Manifest manifest, ParseManifest(text));
  EXPECT_EQ(manifest.evaluation, evaluation);
  EXPECT_EQ(manifest.provenance_commits.at("lm"), "abc123");
  // A model that cannot answer gives no examples.
  EXPECT_EQ(checkpoint.concepts.at(1).example, "");
  EXPECT_THAT(manifest.provenance_command,
              HasSubstr("pipeline --preset tiny --data-people 4"));

  // From the bundle alone, the same figures.
  ASSERT_OK_AND_ASSIGN(
      const EvalSet set,
      ReadEvalSet(run.out + "/eval", manifest.prompt_template));
  const EvalInputs inputs = {bundle->model, bundle->tokenizer, &set};
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create(inputs, bundle->saes, preset.eval.rows));
  ASSERT_OK_AND_ASSIGN(const SteeringChoice choice, ChoiceOf(evaluation));
  ASSERT_OK_AND_ASSIGN(const nlohmann::json again,
                       EvaluateChoice(*subject, choice, preset.eval, nullptr));
  EXPECT_OK(CompareEvaluations(evaluation, again, 0));
  EXPECT_EQ(again["test"], evaluation["test"]);
}

TEST_F(PipelineTest, StoppedAnywhereItGoesOnToTheSameBits) {
  const TrainPreset preset = MicroPreset();
  const PipelineRun whole = RunIn("uninterrupted");
  ASSERT_OK(RunPipeline(preset, whole).status());
  PipelineRun stopped = RunIn("stopped");
  int stops = 0;
  // Longer each time, so that every stage is cut at some point.
  for (int patience = 1;; patience = patience * 3 / 2 + 1) {
    int asked = 0;
    stopped.should_stop = [&] { return ++asked > patience; };
    const absl::Status status = RunPipeline(preset, stopped).status();
    if (status.ok()) break;
    ASSERT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_FALSE(FileExists(stopped.out)) << "half a bundle";
    ASSERT_LT(++stops, 100);
  }
  EXPECT_GT(stops, 5);
  const auto expected = TreeOf(whole.out);
  const auto got = TreeOf(stopped.out);
  ASSERT_EQ(expected.size(), got.size());
  for (const auto& [path, contents] : expected) {
    EXPECT_TRUE(got.at(path) == contents) << path << " differs";
  }
}

TEST_F(PipelineTest, ChangedOptionsRedoOnlyWhatDependsOnThem) {
  TrainPreset preset = MicroPreset();
  preset.pipeline.baselines = "class_means";
  const PipelineRun run = RunIn("redo");
  ASSERT_OK(RunPipeline(preset, run).status());
  const auto before = TreeOf(run.work + "/stages");
  const auto time_of = [&](const std::string& file) {
    return std::filesystem::last_write_time(run.work + "/" + file);
  };
  const auto model_time = time_of("lm/gpt2/model.safetensors");
  const auto sae_time = time_of("sae/resid_post_0/sae_weights.safetensors");
  preset.eval.alphas = "0.5,2";
  ASSERT_OK(RunPipeline(preset, run).status());
  EXPECT_EQ(time_of("sae/resid_post_0/sae_weights.safetensors"), sae_time);
  preset.sae.perp = 0.25;
  ASSERT_OK(RunPipeline(preset, run).status());
  EXPECT_NE(time_of("sae/resid_post_0/sae_weights.safetensors"), sae_time);
  EXPECT_EQ(time_of("lm/gpt2/model.safetensors"), model_time);
  const auto after = TreeOf(run.work + "/stages");
  EXPECT_EQ(before.at("lm.json"), after.at("lm.json"));
  EXPECT_NE(before.at("evaluation.json"), after.at("evaluation.json"));
}

TEST_F(PipelineTest, ADamagedModelIsMadeGoodBeforeItIsShipped) {
  TrainPreset preset = MicroPreset();
  preset.pipeline.baselines = "none";
  const PipelineRun run = RunIn("damaged");
  ASSERT_OK(RunPipeline(preset, run).status());
  const std::string path = run.work + "/lm/gpt2/model.safetensors";
  ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(path));
  ASSERT_OK_AND_ASSIGN(const std::string result,
                       ReadFile(run.work + "/lm/lm.json"));
  std::string bad = good;
  bad[bad.size() - 100] ^= 1;
  ASSERT_OK(WriteFileAtomically(path, bad));
  ASSERT_OK(RunPipeline(preset, run).status());
  EXPECT_TRUE(ReadFile(path).value() == good);
  EXPECT_TRUE(ReadFile(run.out + "/gpt2/model.safetensors").value() == good);
  std::filesystem::remove(path);
  ASSERT_OK(RunPipeline(preset, run).status());
  EXPECT_TRUE(ReadFile(path).value() == good);
  EXPECT_EQ(ReadFile(run.work + "/lm/lm.json").value(), result);
}

TEST_F(PipelineTest, ChangedTrainingOptionsTrainAnewWhatWasHalfTrained) {
  TrainPreset preset = MicroPreset();
  preset.pipeline.baselines = "none";
  preset.lm.epochs = 3;
  PipelineRun run = RunIn("changed");
  int asked = 0;
  run.should_stop = [&] { return ++asked > 8; };
  ASSERT_THAT(RunPipeline(preset, run), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_TRUE(FileExists(run.work + "/lm/training.safetensors"));
  run.should_stop = nullptr;
  preset.lm.epochs = 2;
  ASSERT_OK(RunPipeline(preset, run).status());
  const PipelineRun fresh = RunIn("fresh");
  ASSERT_OK(RunPipeline(preset, fresh).status());
  EXPECT_EQ(TreeOf(run.out), TreeOf(fresh.out));
  // Also when it was finished, and when the data are others.
  preset.data.seed = 9;
  ASSERT_OK(RunPipeline(preset, run).status());
}

TEST_F(PipelineTest, ARefusedRunLeavesEverythingAsItWas) {
  TrainPreset good = MicroPreset();
  good.pipeline.baselines = "none";
  PipelineRun run = RunIn("refused_later");
  ASSERT_OK(RunPipeline(good, run).status());
  const auto expect_refused = [&](const TrainPreset& preset,
                                  absl::StatusCode code,
                                  const std::string& words) {
    const auto before = TreeOf(directory_.path());
    EXPECT_THAT(RunPipeline(preset, run), StatusIs(code, HasSubstr(words)));
    EXPECT_THAT(Differences(before, TreeOf(directory_.path())),
                ::testing::IsEmpty());
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  TrainPreset preset = good;
  preset.lm.heads = 3;
  expect_refused(preset, invalid, "width: must be a multiple of heads");
  preset = good;
  preset.data.seed = 9;
  preset.lm.context = 20;
  expect_refused(preset, invalid, "context: must be at least");
  preset = good;
  preset.sae.activation = "topk";
  preset.sae.k = 17;
  expect_refused(preset, invalid, "k: must be at most free_features");
  run.name = "a\nb";
  expect_refused(good, invalid, "name: must be 1 to 128 bytes");
  run.name = "";
  run.init_from = run.work + "/lm/gpt2";
  preset = good;
  preset.pipeline.layers = "0,2";
  expect_refused(preset, invalid, "layers: must be in [0, 1]");
  run.init_from = "";
  const std::string out = run.out;
  run.out = run.work + "/data";
  expect_refused(good, absl::StatusCode::kFailedPrecondition,
                 "must be absent, empty or a directory with bundle.json");
  run.out = out;
  // A damaged checkpoint, from which a damaged model would be made good.
  const std::string state = run.work + "/lm/training.safetensors";
  std::string bytes = ReadFile(state).value();
  bytes[bytes.size() - 5] ^= 1;
  ASSERT_OK(WriteFileAtomically(state, bytes));
  std::filesystem::remove(run.work + "/lm/gpt2/model.safetensors");
  run.commit = "other";
  expect_refused(good, absl::StatusCode::kDataLoss, "damaged");
}

TEST_F(PipelineTest, ProvenanceNamesTheCommitOfEachStage) {
  TrainPreset preset = MicroPreset();
  preset.pipeline.baselines = "none";
  preset.pipeline.layers = "0";
  PipelineRun run = RunIn("commits");
  run.commit = "aaaa";
  int asked = 0;
  run.should_stop = [&] {  // Inside the training of the SAE.
    return FileExists(run.work + "/stages/lm.json") && ++asked > 3;
  };
  ASSERT_THAT(RunPipeline(preset, run), StatusIs(absl::StatusCode::kCancelled));
  run.should_stop = nullptr;
  run.commit = "bbbb";
  ASSERT_OK(RunPipeline(preset, run).status());
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       ReadFile(run.out + "/bundle.json"));
  ASSERT_OK_AND_ASSIGN(const Manifest manifest, ParseManifest(text));
  EXPECT_THAT(
      manifest.provenance_commits,
      ::testing::ElementsAre(
          ::testing::Pair("bundle", "bbbb"), ::testing::Pair("data", "aaaa"),
          ::testing::Pair("evaluation", "bbbb"), ::testing::Pair("lm", "aaaa"),
          ::testing::Pair("sae_resid_post_0", "aaaa,bbbb")));
}

TEST_F(PipelineTest, BadOptionsAreRefusedBeforeAnythingIsTrained) {
  const PipelineRun run = RunIn("refused");
  const auto expect_refused = [&](const TrainPreset& preset,
                                  const std::string& words) {
    EXPECT_THAT(RunPipeline(preset, run),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(words)));
    EXPECT_FALSE(FileExists(run.work));
  };
  TrainPreset preset = MicroPreset();
  preset.pipeline.layers = "2";
  expect_refused(preset,
                 "layers: must be in [0, 1] or a hook point such as "
                 "resid_mid[0], got \"2\"");
  preset = MicroPreset();
  preset.pipeline.baselines = "x";
  expect_refused(preset, "baselines: must be all, none or names of");
  preset = MicroPreset();
  preset.eval.alphas = "much";
  expect_refused(preset, "alphas: must be finite numbers");
  preset = MicroPreset();
  preset.sae.batch_size = 1;
  expect_refused(preset, "batch_size: must be in [2, ");
}

}  // namespace
}  // namespace alignsae
