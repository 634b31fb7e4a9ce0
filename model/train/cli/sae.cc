
#include <memory>
#include <string>

#include "model/base/status_macros.h"
#include "model/bundle/families.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"
#include "model/train/data/corpus_file.h"
#include "model/train/data/prompt_file.h"
#include "model/train/sae/checkpoint.h"

namespace alignsae {
namespace {

struct SaeCommand {
  TrainPreset preset;
  std::string data;
  std::string prompts;
  uint64_t split_seed = 1;
  std::string model;
  std::string out;
  std::string device = "cpu";
  SiteFlags site;
  int threads = 0;
  int residual_memory = 4096;  // MiB.
  bool allow_unwritten = false;

  ResidualRoom Room() const {
    return {.most_bytes = int64_t{residual_memory} << 20,
            .directory = out,
            .seed = preset.sae.seed};
  }

  absl::Status Run() const {
    UseThreads(threads);
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Device where, ParseDevice(device));
    ALIGNSAE_ASSIGN_OR_RETURN(const LoadedTransformer loaded,
                              LoadTransformer(model, where, WeightType::kF32));
    ALIGNSAE_ASSIGN_OR_RETURN(const Tokenizer tokenizer,
                              Tokenizer::Load(model));
    const Transformer& transformer = *loaded.model;
    SaePlan plan;
    ALIGNSAE_ASSIGN_OR_RETURN(plan.hook,
                              SiteOf(site, transformer.facts().n_layer));
    Progress progress(stdout, stderr);
    CatchStopSignals();
    plan.options = preset.sae;
    plan.directory = out;
    plan.title = "sae " + plan.hook.ToString();
    plan.progress = &progress;
    plan.should_stop = StopSignalCame;
    plan.allow_unwritten = allow_unwritten;
    ALIGNSAE_ASSIGN_OR_RETURN(const SaeInputs inputs,
                              Inputs(transformer, tokenizer, plan.hook));
    return MakeSae(inputs, plan).status();
  }

  absl::StatusOr<SaeInputs> Inputs(const Transformer& transformer,
                                   const Tokenizer& tokenizer,
                                   const HookPoint& hook_point) const {
    if (!prompts.empty()) {
      ALIGNSAE_ASSIGN_OR_RETURN(const PromptSet set,
                                ReadPrompts(prompts, split_seed));
      return CollectSaeInputs(transformer, tokenizer, set, preset.sae,
                              {hook_point}, Room());
    }
    ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus, ReadCorpus(data));
    return CollectSaeInputs(transformer, tokenizer, EvalSetOf(corpus),
                            preset.sae, {hook_point}, Room());
  }
};

}  // namespace

void RegisterSae(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<SaeCommand>();
  CLI::App* sub = app.add_subcommand(
      "sae", "Train an AlignSAE, both stages; goes on where it was stopped");
  AddPresetFlag(*sub, command->preset);
  CLI::Option_group* from = sub->add_option_group("What it learns from");
  from->add_option("--data", command->data, "Directory made by `data`");
  from->add_option("--prompts", command->prompts,
                   "Labelled prompts of your own concepts (JSONL; "
                   "model/train/README.md has the keys)");
  from->require_option(1);
  AddSplitSeedFlag(*sub, command->split_seed);
  sub->add_option("--model", command->model,
                  "Hugging Face GPT-2 or GPT-NeoX directory, such as gpt2/ of "
                  "`lm`")
      ->required();
  sub->add_option("--out", command->out, "Directory of the checkpoint")
      ->required();
  AddSiteFlags(*sub, command->site);
  sub->add_flag("--allow-unwritten", command->allow_unwritten,
                "Write the checkpoint though a slot does not write its "
                "concept, to measure it");
  sub->add_option("--residual-memory", command->residual_memory,
                  "MiB of training residuals in memory at most; more of them "
                  "lie in a file in --out meanwhile, and are learned from in "
                  "shuffled blocks of so many MiB")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  AddDeviceFlag(*sub, command->device);
  AddThreadsFlag(*sub, command->threads);
  AddFieldFlags(*sub, command->preset.sae);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
