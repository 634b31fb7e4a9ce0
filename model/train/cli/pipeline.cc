
#include "model/train/pipeline/pipeline.h"

#include <iostream>
#include <memory>

#include "model/base/status_macros.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"
#include "model/train/eval/report.h"

namespace alignsae {
namespace {

struct PipelineCommandLine {
  TrainPreset preset;
  PipelineRun run;
  uint64_t seed = 0;
  int threads = 0;

  absl::Status Run() {
    UseThreads(threads);
    if (seed > 0) preset.data.seed = preset.lm.seed = preset.sae.seed = seed;
    Progress progress(stdout, stderr);
    run.progress = &progress;
    run.should_stop = StopSignalCame;
    CatchStopSignals();
    ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json evaluation,
                              RunPipeline(preset, run));
    std::cout << "\n" << RenderEvaluation(evaluation);
    return TellPlots(evaluation, absl::StrCat(run.work, "/plots"));
  }
};

}  // namespace

void RegisterPipeline(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<PipelineCommandLine>();
  CLI::App* sub = app.add_subcommand(
      "pipeline",
      "Data, language model, SAEs, evaluation and baselines in one; goes on "
      "where it was stopped");
  AddPresetFlag(*sub, command->preset);
  PipelineRun& run = command->run;
  sub->add_option("--work", run.work, "Directory of what is made on the way")
      ->required();
  sub->add_option("--out", run.out, "Directory of the bundle")->required();
  sub->add_option("--name", run.name, "Of the bundle; default: the preset's");
  sub->add_option("--bundle-version", run.version, "Of the bundle")
      ->capture_default_str();
  sub->add_option("--commit", run.commit,
                  "Of the sources, for the bundle's provenance");
  sub->add_option("--tokenizer", run.tokenizer_directory,
                  "Directory with vocab.json and merges.txt to use instead of "
                  "a vocabulary trained on the data");
  sub->add_option("--init-from", run.init_from,
                  "Hugging Face GPT-2 directory to start from");
  AddDeviceFlag(*sub, run.device);
  AddThreadsFlag(*sub, command->threads);
  sub->add_option("--seed", command->seed,
                  "Of data, language model and SAE; 0: theirs")
      ->capture_default_str();
  AddFieldFlags(*sub, command->preset.pipeline);
  AddFieldFlags(*sub, command->preset.data, "data-");
  AddFieldFlags(*sub, command->preset.lm, "lm-");
  AddFieldFlags(*sub, command->preset.sae, "sae-");
  AddFieldFlags(*sub, command->preset.eval, "eval-");
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
