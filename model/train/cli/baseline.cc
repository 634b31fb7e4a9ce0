// alignsae-train baseline: what an AlignSAE is compared with, as checkpoints.

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/bundle/families.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"
#include "model/train/data/corpus_file.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/baseline_checkpoints.h"

namespace alignsae {
namespace {

struct BaselineCommand {
  TrainPreset preset;
  std::string name;
  std::string data;
  std::string prompts;
  uint64_t split_seed = 1;
  std::string model;
  std::string out;
  std::string device = "cpu";
  SiteFlags site;
  int threads = 0;

  absl::Status Run() const {
    UseThreads(threads);
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Device where, ParseDevice(device));
    ALIGNSAE_ASSIGN_OR_RETURN(LoadedTransformer loaded,
                              LoadTransformer(model, where, WeightType::kF32));
    ALIGNSAE_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::Load(model));
    EvalInputs people;
    people.model = std::move(loaded.model);
    people.tokenizer = std::make_shared<const Tokenizer>(std::move(tokenizer));
    BaselineCheckpointPlan plan;
    ALIGNSAE_ASSIGN_OR_RETURN(plan.sae.hook,
                              SiteOf(site, people.model->facts().n_layer));
    plan.sae.options = preset.sae;
    plan.sae.title = name;
    plan.sae.should_stop = StopSignalCame;
    plan.eval = preset.eval;
    CatchStopSignals();
    std::optional<EvalSet> set;
    SaeInputs inputs;
    if (prompts.empty()) {
      ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus, ReadCorpus(data));
      set = EvalSetOf(corpus);
      people.set = &*set;
      ALIGNSAE_ASSIGN_OR_RETURN(
          inputs, CollectSaeInputs(*people.model, *people.tokenizer, *set,
                                   preset.sae, {plan.sae.hook}));
    } else {
      ALIGNSAE_ASSIGN_OR_RETURN(const PromptSet own,
                                ReadPrompts(prompts, split_seed));
      ALIGNSAE_ASSIGN_OR_RETURN(
          inputs, CollectSaeInputs(*people.model, *people.tokenizer, own,
                                   preset.sae, {plan.sae.hook}));
    }
    ALIGNSAE_ASSIGN_OR_RETURN(
        const Sae sae, MakeBaselineCheckpoint(name, people, inputs, plan));
    ALIGNSAE_RETURN_IF_ERROR(SaveSae(out, sae.config(), sae.weights()));
    std::cout << out << ": " << name << " at " << plan.sae.hook.ToString()
              << "; serve it beside others with alignsae-train bundle --sae\n";
    return absl::OkStatus();
  }
};

}  // namespace

void RegisterBaseline(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<BaselineCommand>();
  CLI::App* sub = app.add_subcommand(
      "baseline",
      "Make what an AlignSAE is compared with, as a checkpoint of the same "
      "format: the server loads both and one Swap compares them");
  AddPresetFlag(*sub, command->preset);
  sub->add_option("name", command->name,
                  absl::StrJoin(BaselineCheckpointNames(), ", "))
      ->required()
      ->check(CLI::IsMember(BaselineCheckpointNames()));
  CLI::Option_group* from = sub->add_option_group("What it learns from");
  from->add_option("--data", command->data, "Directory made by `data`");
  from->add_option("--prompts", command->prompts,
                   "Labelled prompts of your own concepts (JSONL); not for "
                   "output_feature");
  from->require_option(1);
  AddSplitSeedFlag(*sub, command->split_seed);
  sub->add_option("--model", command->model,
                  "Hugging Face GPT-2 or GPT-NeoX directory")
      ->required();
  sub->add_option("--out", command->out, "Directory of the checkpoint")
      ->required();
  AddSiteFlags(*sub, command->site);
  AddDeviceFlag(*sub, command->device);
  AddThreadsFlag(*sub, command->threads);
  AddFieldFlags(*sub, command->preset.sae);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
