
#include <memory>

#include "model/base/status_macros.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"
#include "model/train/data/texts_file.h"
#include "model/train/lm/trainer.h"

namespace alignsae {
namespace {

struct LmCommand {
  TrainPreset preset;
  std::string data;
  LmRun run;
  int threads = 0;

  absl::Status Run() {
    UseThreads(threads);
    ALIGNSAE_ASSIGN_OR_RETURN(const LmTexts texts, ReadLmTexts(data));
    Progress progress(stdout, stderr);
    run.progress = &progress;
    run.should_stop = StopSignalCame;
    CatchStopSignals();
    return TrainLm(texts, preset.lm, run).status();
  }
};

}  // namespace

void RegisterLm(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<LmCommand>();
  CLI::App* sub = app.add_subcommand(
      "lm", "Train the language model; goes on where it was stopped");
  AddPresetFlag(*sub, command->preset);
  sub->add_option("--data", command->data, "Directory made by `data`")
      ->required();
  sub->add_option("--out", command->run.directory,
                  "Directory of the run; the model is in gpt2/ below it")
      ->required();
  sub->add_option("--tokenizer", command->run.tokenizer_directory,
                  "Directory with vocab.json and merges.txt to use instead of "
                  "a vocabulary trained on the data");
  sub->add_option("--init-from", command->run.init_from,
                  "Hugging Face GPT-2 directory to start from");
  AddDeviceFlag(*sub, command->run.device);
  AddThreadsFlag(*sub, command->threads);
  sub->add_option("--stop-after-steps", command->run.stop_after_steps,
                  "Stop with a checkpoint after this many steps; 0: never")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  sub->add_flag("--restart", command->run.restart,
                "Start again, whatever checkpoint is there");
  AddFieldFlags(*sub, command->preset.lm);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
