// A study on the language model that the tiny pipeline has trained, with
// floors.

#ifndef ALIGNSAE_TESTS_TRAIN_STUDY_TINY_STUDY_H_
#define ALIGNSAE_TESTS_TRAIN_STUDY_TINY_STUDY_H_

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "model/bundle/families.h"
#include "model/train/data/corpus_file.h"
#include "model/train/pipeline/presets.h"
#include "model/train/study/report.h"
#include "model/train/study/run.h"
#include "tests/support/status_matchers.h"

namespace alignsae {

// The plan `losses` in a tiny form, on data/ and lm/gpt2/ of `work`. The
// contrast: every slot reads; one that nothing makes write cannot swap; the
// orthogonality loss or the prefix loss alone makes it write.
inline void ExpectLossesMatter(const std::string& work) {
  ASSERT_OK_AND_ASSIGN(const Corpus corpus, ReadCorpus(work + "/data"));
  const EvalSet set = EvalSetOf(corpus);
  ASSERT_OK_AND_ASSIGN(
      LoadedTransformer loaded,
      LoadTransformer(work + "/lm/gpt2", at::kCPU, WeightType::kF32));
  ASSERT_OK_AND_ASSIGN(Tokenizer tokenizer, Tokenizer::Load(work + "/lm/gpt2"));
  const TrainPreset preset = *FindPreset("tiny");
  const auto json = nlohmann::ordered_json::parse(R"({
    "name": "losses",
    "base": {"sparse": 0, "perp": 0, "stage1_epochs": 5, "stage2_epochs": 30,
             "value_hidden": 16},
    "eval": {"sample": 3, "select_sample": 3, "modes": "SWAP",
             "alphas": "1,2"},
    "variants": {"neither": {}, "perp": {"perp": 1}, "prefix": {"prefix": 0.1}}
  })");
  ASSERT_OK_AND_ASSIGN(const StudyPlan plan,
                       ParseStudyPlan("losses", json,
                                      {.sae = preset.sae,
                                       .eval = preset.eval,
                                       .layers = 4,
                                       .subject = "the tiny model"}));
  StudyRun run;
  run.inputs.model = std::move(loaded.model);
  run.inputs.tokenizer =
      std::make_shared<const Tokenizer>(std::move(tokenizer));
  run.inputs.set = &set;
  run.directory = work + "/study";
  ASSERT_OK(RunStudy(plan, run));
  ASSERT_OK_AND_ASSIGN(
      const nlohmann::ordered_json summary,
      SummarizeStudy(IndexOf(plan, "study losses"), run.directory));
  std::fputs(RenderStudy(summary).c_str(), stdout);
  const auto rate = [&](int setting, const char* share) {
    return summary["settings"][setting][share]["rate"].get<double>();
  };
  for (int setting = 0; setting < 3; ++setting) {
    EXPECT_GE(rate(setting, "read"), 0.9) << setting;
  }
  const double neither = rate(0, "swap");
  for (int setting : {1, 2}) {
    EXPECT_GE(rate(setting, "swap"), 0.5) << setting;
    EXPECT_GE(rate(setting, "swap"), 5 * neither) << setting;
  }
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_TRAIN_STUDY_TINY_STUDY_H_
