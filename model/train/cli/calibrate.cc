// alignsae-train calibrate: concepts for somebody else's SAE.

#include "model/train/pipeline/calibrate.h"

#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "model/base/status_macros.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"

namespace alignsae {
namespace {

struct CalibrateCommand {
  Calibration calibration;
  int threads = 0;

  absl::Status Run() const {
    UseThreads(threads);
    ALIGNSAE_ASSIGN_OR_RETURN(const auto features, Calibrate(calibration));
    std::cout << absl::StrFormat("%-28s %8s %11s %11s %10s %s\n", "concept",
                                 "feature", "separation", "active mean",
                                 "threshold", "validation");
    for (const CalibratedFeature& feature : features) {
      std::cout << absl::StrFormat(
          "%-28s %8d %11.2f %11.3f %10.3f %10.3f\n", feature.entry.name,
          feature.entry.slot, feature.separation, feature.entry.active_mean,
          feature.entry.threshold, feature.youden);
    }
    std::cout << calibration.out << ": serve it with alignsae-server --model="
              << calibration.model_directory << " --sae=" << calibration.out
              << "\n";
    return absl::OkStatus();
  }
};

}  // namespace

void RegisterCalibrate(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<CalibrateCommand>();
  Calibration& calibration = command->calibration;
  CLI::App* sub = app.add_subcommand(
      "calibrate",
      "Find concepts in an SAE that was trained without any: the feature of "
      "each that tells it best, with what SWAP needs");
  sub->add_option("--model", calibration.model_directory,
                  "Hugging Face directory that the SAE was trained on")
      ->required();
  sub->add_option("--sae", calibration.sae_directory,
                  "Checkpoint directory of SAELens")
      ->required();
  sub->add_option("--prompts", calibration.prompts,
                  "Labelled prompts of your concepts (JSONL; "
                  "model/train/README.md has the keys)")
      ->required();
  sub->add_option("--out", calibration.out,
                  "Directory for the checkpoint with labels.jsonl")
      ->required();
  AddSplitSeedFlag(*sub, calibration.split_seed);
  AddThreadsFlag(*sub, command->threads);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
