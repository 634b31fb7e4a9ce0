// The plan `hops` in a tiny form, from nothing: a knowledge base, a language
// model that answers questions of two steps that it never saw, and slots that
// read the relation of each step, with floors far above chance (1 of 4).
// Whether a swap redirects a step is open (model/train/README.md): it is only
// counted.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "model/bundle/families.h"
#include "model/train/data/hops.h"
#include "model/train/lm/trainer.h"
#include "model/train/pipeline/presets.h"
#include "model/train/study/report.h"
#include "model/train/study/run.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

LmOptions TinyLm() {
  LmOptions options;
  options.layers = 2;
  options.heads = 2;
  options.width = 48;
  options.context = 96;
  options.vocab_size = 512;
  options.epochs = 60;
  options.learning_rate = 6e-3;
  options.warmup_steps = 20;
  options.biography_batch = 8;
  options.question_batch = 24;
  options.probe_every = 0;
  return options;
}

absl::StatusOr<StudyPlan> TinyHopsPlan() {
  const TrainPreset preset = *FindPreset("tiny");
  return ParseStudyPlan("hops", nlohmann::ordered_json::parse(R"({
        "name": "hops",
        "base": {"prefix": 0.1, "stage1_epochs": 5, "stage2_epochs": 30,
                 "free_features": 100, "batch_size": 16, "value_hidden": 8},
        "eval": {"sample": 0, "alphas": "1", "max_tokens": 4},
        "axes": {"layer": [0], "method": ["sae", "class_means"]}})"),
                        {.sae = preset.sae,
                         .eval = preset.eval,
                         .layers = 2,
                         .concepts = 0,
                         .subject = "tiny hops"});
}

TEST(TinyHopsTest, TheRelationOfEachStepIsRead) {
  // Matrices this small only lose by a second thread.
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const TemporaryDirectory directory("tiny_hops");
  ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops({.names = 12,
                                                         .relations = 4,
                                                         .facts = 48,
                                                         .questions = 190,
                                                         .phi = 3,
                                                         .paragraphs = 3}));
  const std::string lm = directory.File("lm");
  ASSERT_OK_AND_ASSIGN(const LmResult trained,
                       TrainLm(HopTextsOf(data), TinyLm(), {.directory = lm}));
  EXPECT_GE(trained.accuracy.never_asked.mean, 0.6);
  ASSERT_OK_AND_ASSIGN(const PromptSet prompts,
                       ParsePrompts(HopPromptLines(data), "prompts.jsonl", 1));
  ASSERT_OK_AND_ASSIGN(
      LoadedTransformer loaded,
      LoadTransformer(lm + "/gpt2", at::kCPU, WeightType::kF32));
  ASSERT_OK_AND_ASSIGN(Tokenizer tokenizer, Tokenizer::Load(lm + "/gpt2"));
  StudyRun run;
  run.inputs.model = std::move(loaded.model);
  run.inputs.tokenizer =
      std::make_shared<const Tokenizer>(std::move(tokenizer));
  run.prompts = &prompts;
  run.directory = directory.File("study");
  ASSERT_OK_AND_ASSIGN(const StudyPlan plan, TinyHopsPlan());
  ASSERT_OK(RunStudy(plan, run));
  ASSERT_OK_AND_ASSIGN(
      const nlohmann::ordered_json summary,
      SummarizeStudy(IndexOf(plan, "study hops"), run.directory));
  std::fputs(RenderStudy(summary).c_str(), stdout);
  at::set_num_threads(threads);
  ASSERT_EQ(summary["settings"].size(), 2u);
  for (const auto& setting : summary["settings"]) {
    EXPECT_GE(setting["read"]["rate"].get<double>(), 0.55);
    for (const char* step : {"step 1", "step 2"}) {
      EXPECT_GE(setting["groups"][step]["read"]["rate"].get<double>(), 0.4)
          << step;
      EXPECT_GT(setting["groups"][step]["swap"]["n"].get<int>(), 0) << step;
    }
  }
}

}  // namespace
}  // namespace alignsae
