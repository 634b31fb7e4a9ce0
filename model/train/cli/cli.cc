#include "model/train/cli/cli.h"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/train/eval/plots.h"

namespace alignsae {
namespace {

std::atomic<bool> stop_signal_came{false};

void OnStopSignal(int signal) {
  stop_signal_came.store(true);
  std::signal(signal, SIG_DFL);
}

}  // namespace

void AddPresetFlag(CLI::App& app, TrainPreset& preset) {
  preset = *FindPreset(kDefaultPreset);
  app.add_option_function<std::string>(
         "--preset",
         [&preset](const std::string& name) { preset = *FindPreset(name); },
         "Options to start from; flags beside it win")
      ->check(CLI::IsMember(PresetNames()))
      ->default_str(kDefaultPreset);
}

void AddSplitSeedFlag(CLI::App& app, uint64_t& seed) {
  app.add_option("--split-seed", seed,
                 "Splits the groups of --prompts that have no split; give the "
                 "same to `sae`, `eval` and `bundle`")
      ->capture_default_str();
}

void AddDeviceFlag(CLI::App& app, std::string& device) {
  app.add_option("--device", device,
                 "cpu, cuda or cuda:N; a GPU needs a LibTorch built for it")
      ->capture_default_str();
}

void AddSiteFlags(CLI::App& app, SiteFlags& site) {
  std::vector<std::string> kinds;
  for (HookKind kind : kHookKinds) kinds.emplace_back(HookKindName(kind));
  app.add_option("--hook", site.hook,
                 "resid_pre (input of the block), attn_out (what its "
                 "attention adds), resid_mid (between attention and MLP), "
                 "mlp_out (what its MLP adds) or resid_post (its output)")
      ->capture_default_str()
      ->check(CLI::IsMember(std::move(kinds)));
  app.add_option("--layer", site.layer, "Block of the hook")
      ->capture_default_str()
      ->check(CLI::Range(0, 4095));
}

absl::StatusOr<HookPoint> SiteOf(const SiteFlags& site, int n_layer) {
  if (site.layer < n_layer) {
    return HookPoint{ParseHookKind(site.hook).value(), site.layer};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--layer: must be in [0, ", n_layer - 1, "], got ",
                   site.layer, "; the model has ", n_layer, " blocks"));
}

void AddThreadsFlag(CLI::App& app, int& threads) {
  app.add_option("--threads", threads, "Threads; 0: one for each processor")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
}

absl::Status TellPlots(const nlohmann::json& evaluation,
                       const std::string& directory) {
  const absl::StatusOr<std::vector<std::string>> drawn =
      DrawPlots(evaluation, directory);
  if (absl::IsNotFound(drawn.status())) {
    std::cout << drawn.status().message() << "; none are drawn\n";
    return absl::OkStatus();
  }
  ALIGNSAE_RETURN_IF_ERROR(drawn.status());
  std::cout << "plots: " << directory << ": " << absl::StrJoin(*drawn, ", ")
            << "\n";
  return absl::OkStatus();
}

absl::Status NoCheckpoint(const std::string& bundle) {
  return absl::FailedPreconditionError(
      absl::StrCat(bundle, ": must have a checkpoint, got none"));
}

void CatchStopSignals() {
  std::signal(SIGINT, OnStopSignal);
  std::signal(SIGTERM, OnStopSignal);
}

bool StopSignalCame() { return stop_signal_came.load(); }

}  // namespace alignsae
