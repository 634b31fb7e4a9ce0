// The subcommands of alignsae-train. Each Register function adds one to `app`;
// when it is chosen, it runs and leaves its outcome in `status`.
//
// Flags are made from the fields of options structs (common/option_fields.h),
// so that flags, logs and checkpoints share one list. --preset comes first in
// every command: CLI11 applies options in the order in which they were added,
// so a flag given beside it wins wherever it stands.
//
// Thread-safety: main thread only.

#ifndef ALIGNSAE_MODEL_TRAIN_CLI_CLI_H_
#define ALIGNSAE_MODEL_TRAIN_CLI_CLI_H_

#include <CLI/CLI.hpp>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/steering/hook_point.h"
#include "model/train/common/option_fields.h"
#include "model/train/pipeline/presets.h"
#include "nlohmann/json.hpp"

namespace alignsae {

void RegisterData(CLI::App& app, absl::Status& status);
void RegisterLm(CLI::App& app, absl::Status& status);
void RegisterSae(CLI::App& app, absl::Status& status);
void RegisterEval(CLI::App& app, absl::Status& status);
void RegisterAgree(CLI::App& app, absl::Status& status);
void RegisterPipeline(CLI::App& app, absl::Status& status);
void RegisterExportSae(CLI::App& app, absl::Status& status);
void RegisterCalibrate(CLI::App& app, absl::Status& status);
void RegisterBundle(CLI::App& app, absl::Status& status);
void RegisterBaseline(CLI::App& app, absl::Status& status);
void RegisterStudy(CLI::App& app, absl::Status& status);

// Adds --preset, which fills `preset` (and must outlive the parse). Call before
// AddFieldFlags on its parts.
void AddPresetFlag(CLI::App& app, TrainPreset& preset);

// Adds --split-seed, for ReadPrompts.
void AddSplitSeedFlag(CLI::App& app, uint64_t& seed);

// Adds --device, for ParseDevice.
void AddDeviceFlag(CLI::App& app, std::string& device);

// Where an SAE, or what it is compared with, reads.
struct SiteFlags {
  std::string hook = "resid_post";
  int layer = 1;
};
// Adds --hook, refused here when it is none, and --layer.
void AddSiteFlags(CLI::App& app, SiteFlags& site);
// INVALID_ARGUMENT "--layer: ..." when the model has no such block.
absl::StatusOr<HookPoint> SiteOf(const SiteFlags& site, int n_layer);

// Adds --threads, for UseThreads.
void AddThreadsFlag(CLI::App& app, int& threads);

// Draws an evaluation into `directory` (eval/plots.h) and says so on standard
// output; where gnuplot is not installed a sentence says that.
absl::Status TellPlots(const nlohmann::json& evaluation,
                       const std::string& directory);

// FAILED_PRECONDITION: what is measured needs a checkpoint in the bundle.
absl::Status NoCheckpoint(const std::string& bundle);

// True once SIGINT or SIGTERM came; a second one ends the process at once.
void CatchStopSignals();
bool StopSignalCame();

// One flag per field: warmup_steps -> --<prefix>warmup-steps. Ranges are
// checked by CheckFields when the command runs.
template <typename Options>
void AddFieldFlags(CLI::App& app, Options& options,
                   const std::string& prefix = "") {
  Options::VisitFields(options, [&](const char* name, auto& value, const auto&,
                                    const char* help) {
    app.add_option(
           absl::StrCat("--", prefix, absl::StrReplaceAll(name, {{"_", "-"}})),
           value, help)
        ->capture_default_str();
  });
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_CLI_CLI_H_
