#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/families.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"
#include "model/train/common/progress.h"
#include "model/train/data/corpus_file.h"
#include "model/train/data/prompt_file.h"
#include "model/train/lm/kept.h"
#include "model/train/study/report.h"
#include "model/train/study/run.h"

namespace alignsae {
namespace {

constexpr char kReport[] = "report";

struct StudyCommand {
  TrainPreset preset;
  std::string plan;
  std::string data;
  std::string prompts;
  uint64_t split_seed = 1;
  std::string model;
  std::string work;
  std::string device = "cpu";
  std::string shard = "1/1";
  std::string cell;
  int seeds = 3;
  int threads = 0;

  absl::Status Run() const {
    if (plan == kReport) return Report("");
    if (data.empty() == prompts.empty() || model.empty()) {
      return absl::InvalidArgumentError(
          "--model and either --data or --prompts: must be given, but with "
          "`study report`");
    }
    UseThreads(threads);
    StudyRun run;
    ALIGNSAE_ASSIGN_OR_RETURN(run.shard, ParseStudyShard(shard));
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Device where, ParseDevice(device));
    Material material;
    ALIGNSAE_RETURN_IF_ERROR(Read(material, run));
    if (!where.is_cpu()) absl::StrAppend(&material.name, " on a GPU");
    ALIGNSAE_ASSIGN_OR_RETURN(run.inputs.model, Load(model, where));
    ALIGNSAE_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::Load(model));
    run.inputs.tokenizer =
        std::make_shared<const Tokenizer>(std::move(tokenizer));
    ALIGNSAE_ASSIGN_OR_RETURN(const StudyDefaults defaults,
                              Defaults(run.inputs.model->facts(), material));
    ALIGNSAE_ASSIGN_OR_RETURN(const StudyPlan study,
                              ReadStudyPlan(plan, defaults));
    run.subject = defaults.subject;
    run.kept_model = [&](int epoch) {
      return Load(KeptDirectory(ParentDirectory(model), epoch), where);
    };
    run.directory = work;
    run.only = cell;
    Progress progress(stdout, stderr);
    run.progress = &progress;
    CatchStopSignals();
    run.should_stop = StopSignalCame;
    ALIGNSAE_RETURN_IF_ERROR(WriteStudyIndex(work, IndexOf(study, Command())));
    ALIGNSAE_RETURN_IF_ERROR(RunStudy(study, run));
    if (run.shard.count == 1) return Report(study.name);
    std::cout << "shard " << shard << " of " << study.name
              << ": done; when all are, alignsae-train study report --work "
              << work << "\n";
    return absl::OkStatus();
  }

  // What is asked.
  struct Material {
    EvalSet people;
    PromptSet prompts;
    std::string name;  // By content.
  };
  absl::Status Read(Material& material, StudyRun& run) const {
    if (prompts.empty()) {
      ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus, ReadCorpus(data));
      material.people = EvalSetOf(corpus);
      run.inputs.set = &material.people;
      material.name = absl::StrCat("data ", corpus.hash);
      return absl::OkStatus();
    }
    ALIGNSAE_ASSIGN_OR_RETURN(material.prompts,
                              ReadPrompts(prompts, split_seed));
    run.prompts = &material.prompts;
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string hash, Sha256OfFile(prompts));
    material.name = absl::StrCat("prompts ", hash, " split by ", split_seed);
    return absl::OkStatus();
  }

  absl::StatusOr<StudyDefaults> Defaults(const TransformerFacts& facts,
                                         const Material& material) const {
    StudyDefaults defaults;
    defaults.sae = preset.sae;
    defaults.eval = preset.eval;
    defaults.layers = facts.n_layer;
    defaults.width = facts.d_model;
    defaults.concepts = material.people.relation_count();
    defaults.seeds = seeds;
    ALIGNSAE_ASSIGN_OR_RETURN(defaults.subject, Subject(model, material.name));
    const std::string lm = ParentDirectory(model);
    for (int epoch : KeptEpochs(lm)) {
      ALIGNSAE_ASSIGN_OR_RETURN(
          defaults.kept[epoch],
          Subject(KeptDirectory(lm, epoch), material.name));
    }
    return defaults;
  }

  // Of all plans, or of one.
  absl::Status Report(const std::string& name) const {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::string> paths,
                              WriteStudyReports(work, name));
    for (const std::string& path : paths) {
      ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
      std::cout << text << "\n" << path << "\n";
    }
    return absl::OkStatus();
  }

  // Without paths, so that it is the same wherever it ran.
  std::string Command() const {
    return absl::StrCat("alignsae-train study ", LastPart(plan), " --preset ",
                        preset.name, " --seeds ", seeds,
                        prompts.empty() ? " --data DATA" : " --prompts PROMPTS",
                        " --model MODEL --work WORK");
  }

  static absl::StatusOr<std::shared_ptr<const Transformer>> Load(
      const std::string& directory, at::Device where) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        LoadedTransformer loaded,
        LoadTransformer(directory, where, WeightType::kF32));
    return std::shared_ptr<const Transformer>(std::move(loaded.model));
  }

  static absl::StatusOr<std::string> Subject(const std::string& directory,
                                             const std::string& material) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::string hash,
        Sha256OfFile(absl::StrCat(directory, "/model.safetensors")));
    return absl::StrCat("model ", hash, " ", material);
  }
};

}  // namespace

void RegisterStudy(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<StudyCommand>();
  CLI::App* sub = app.add_subcommand(
      "study",
      "Train and measure many SAEs by a plan, and report them side by side; "
      "goes on where it was stopped. `study report` reports what --work has");
  AddPresetFlag(*sub, command->preset);
  sub->add_option("plan", command->plan,
                  absl::StrCat(absl::StrJoin(StudyPlanNames(), ", "),
                               ", a file (study/plan.h), or report"))
      ->required();
  sub->add_option("--data", command->data, "Directory made by `data`");
  sub->add_option("--prompts", command->prompts,
                  "Labelled prompts instead (JSONL): the first alpha of the "
                  "plan counts, `sample` is of groups");
  AddSplitSeedFlag(*sub, command->split_seed);
  sub->add_option("--model", command->model,
                  "Hugging Face directory, such as gpt2/ of `lm`; beside it "
                  "kept/ has the states of `lm --keep-every`");
  sub->add_option("--work", command->work, "Directory of the cells and reports")
      ->required();
  sub->add_option("--seeds", command->seeds, "Of each setting")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  sub->add_option("--shard", command->shard,
                  "i/n: only every n-th cell from the i-th on, 0 being the "
                  "n-th; processes with one --work each take their own")
      ->capture_default_str();
  sub->add_option("--cell", command->cell,
                  "Only the cell of this id (study.json has them)");
  AddDeviceFlag(*sub, command->device);
  AddThreadsFlag(*sub, command->threads);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
