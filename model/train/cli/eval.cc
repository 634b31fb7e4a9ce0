
#include "model/train/eval/eval.h"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"
#include "model/train/common/progress.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/compare.h"
#include "model/train/eval/prompt_eval.h"
#include "model/train/eval/report.h"

namespace alignsae {
namespace {

struct EvalCommand {
  TrainPreset preset;
  std::string bundle;
  std::string model;
  std::string sae;
  std::string prompts;
  uint64_t split_seed = 1;
  double alpha = 1;
  std::string json;
  std::string plots;
  std::string device = "cpu";
  double compare = -1;
  bool stored = false;
  bool select = false;
  int threads = 0;

  absl::Status Run() const {
    UseThreads(threads);
    if (!prompts.empty()) return MeasurePrompts();
    if (bundle.empty()) {
      return absl::InvalidArgumentError(
          "--bundle: must be given without --prompts, got nothing");
    }
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                              ReadFile(absl::StrCat(bundle, "/bundle.json")));
    ALIGNSAE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(text));
    if (stored) {
      const auto of_prompts = manifest.evaluation.find("prompts");
      std::cout << (of_prompts != manifest.evaluation.end()
                        ? RenderPromptEvaluation(*of_prompts)
                        : RenderEvaluation(manifest.evaluation));
      return plots.empty() ? absl::OkStatus()
                           : TellPlots(manifest.evaluation, plots);
    }
    ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json evaluation,
                              Measure(manifest));
    std::cout << RenderEvaluation(evaluation);
    if (!json.empty()) {
      ALIGNSAE_RETURN_IF_ERROR(
          WriteFileAtomically(json, evaluation.dump(1) + "\n"));
    }
    if (!plots.empty()) {
      ALIGNSAE_RETURN_IF_ERROR(TellPlots(evaluation, plots));
    }
    if (compare < 0) return absl::OkStatus();
    ALIGNSAE_RETURN_IF_ERROR(
        CompareEvaluations(manifest.evaluation, evaluation, compare));
    std::cout << "\nWithin " << compare << " of the stored evaluation\n";
    return absl::OkStatus();
  }

  // Of a bundle's first checkpoint, or of a model and an SAE by themselves.
  absl::StatusOr<std::shared_ptr<const Bundle>> LoadForPrompts() const {
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Device where, ParseDevice(device));
    const BundleOptions options = {.whole_sae = true, .device = where};
    if (!bundle.empty()) return LoadBundle(bundle, options);
    return LoadParts(model, {sae}, options);
  }

  absl::Status MeasurePrompts() const {
    if (!plots.empty()) {
      return absl::InvalidArgumentError(
          "--plots: must not be given with --prompts");
    }
    if (bundle.empty() == (model.empty() || sae.empty())) {
      return absl::InvalidArgumentError(
          "--prompts: must have --bundle, or --model and --sae, beside it");
    }
    ALIGNSAE_ASSIGN_OR_RETURN(const PromptSet set,
                              ReadPrompts(prompts, split_seed));
    ALIGNSAE_ASSIGN_OR_RETURN(const std::shared_ptr<const Bundle> loaded,
                              LoadForPrompts());
    if (loaded->saes.empty()) return NoCheckpoint(bundle);
    ALIGNSAE_ASSIGN_OR_RETURN(
        const nlohmann::ordered_json evaluation,
        EvaluatePrompts(*loaded, set,
                        {.alpha = alpha,
                         .max_tokens = preset.eval.max_tokens,
                         .rows = preset.eval.rows}));
    std::cout << RenderPromptEvaluation(evaluation);
    return json.empty() ? absl::OkStatus()
                        : WriteFileAtomically(json, evaluation.dump(1) + "\n");
  }

  absl::StatusOr<nlohmann::json> Measure(const Manifest& manifest) const {
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Device where, ParseDevice(device));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::shared_ptr<const Bundle> loaded,
        LoadBundle(bundle, {.whole_sae = true, .device = where}));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const EvalSet set,
        ReadEvalSet(absl::StrCat(bundle, "/eval"), manifest.prompt_template));
    const EvalInputs inputs = {loaded->model, loaded->tokenizer, &set};
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::unique_ptr<EvalSubject> subject,
        EvalSubject::Create(inputs, loaded->saes, preset.eval.rows));
    Progress progress(stderr, stderr);
    CatchStopSignals();
    std::string last;
    const EvalReporter report = [&](const std::string& what, int64_t done,
                                    int64_t total) {
      if (StopSignalCame()) return absl::CancelledError("eval: stopped");
      if (what != last) progress.Start("eval", 0, total);
      last = what;
      progress.Update(done, what);
      if (done == total) progress.Finish();
      return absl::OkStatus();
    };
    if (select) return Evaluate(*subject, preset.eval, report);
    if (manifest.saes.empty()) return NoCheckpoint(bundle);
    SteeringChoice choice;
    choice.mode = manifest.saes.front().recommended_mode;
    choice.alpha = manifest.saes.front().recommended_alpha;
    return EvaluateChoice(*subject, choice, preset.eval, report);
  }
};

}  // namespace

void RegisterEval(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App* sub = app.add_subcommand("eval",
                                     "Measure a bundle by the evaluation "
                                     "protocol, or a checkpoint on labelled "
                                     "prompts, through the engine");
  AddPresetFlag(*sub, command->preset);
  sub->add_option("--bundle", command->bundle, "Bundle directory");
  sub->add_option("--prompts", command->prompts,
                  "Measure on the test split of labelled prompts (JSONL) "
                  "instead of the bundle's own people");
  sub->add_option("--model", command->model,
                  "With --prompts and --sae: Hugging Face directory");
  sub->add_option("--sae", command->sae,
                  "With --prompts and --model: checkpoint directory");
  AddSplitSeedFlag(*sub, command->split_seed);
  sub->add_option("--alpha", command->alpha,
                  "With --prompts: strength of the swaps")
      ->capture_default_str()
      ->check(CLI::Range(-1000.0, 1000.0));
  sub->add_option("--json", command->json, "Also write the figures here");
  sub->add_option("--plots", command->plots,
                  "Draw layers, alphas and confusion into this directory (SVG, "
                  "by gnuplot); not with --prompts");
  sub->add_flag("--select", command->select,
                "Choose mode and alpha afresh on validation wordings; else the "
                "bundle's recommended ones");
  sub->add_flag("--stored", command->stored,
                "Only print the evaluation that the bundle holds");
  sub->add_option("--compare", command->compare,
                  "Fail when a figure is further than this from the stored one")
      ->check(CLI::Range(0.0, 1.0));
  AddDeviceFlag(*sub, command->device);
  AddThreadsFlag(*sub, command->threads);
  AddFieldFlags(*sub, command->preset.eval);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
