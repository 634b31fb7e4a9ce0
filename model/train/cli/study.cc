#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/families.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"
#include "model/train/common/progress.h"
#include "model/train/data/corpus_file.h"
#include "model/train/study/report.h"
#include "model/train/study/run.h"

namespace alignsae {
namespace {

struct StudyCommand {
  TrainPreset preset;
  std::string plan;
  std::string data;
  std::string model;
  std::string work;
  std::string device = "cpu";
  std::string shard = "1/1";
  int seeds = 3;
  int threads = 0;
  bool report = false;

  absl::Status Run() const {
    UseThreads(threads);
    StudyRun run;
    ALIGNSAE_ASSIGN_OR_RETURN(run.shard, ParseStudyShard(shard));
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Device where, ParseDevice(device));
    ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus, ReadCorpus(data));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::string hash,
        Sha256OfFile(absl::StrCat(model, "/model.safetensors")));
    ALIGNSAE_ASSIGN_OR_RETURN(LoadedTransformer loaded,
                              LoadTransformer(model, where, WeightType::kF32));
    ALIGNSAE_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::Load(model));
    run.subject = absl::StrCat("model ", hash, " data ", corpus.hash);
    if (!where.is_cpu()) absl::StrAppend(&run.subject, " on a GPU");
    ALIGNSAE_ASSIGN_OR_RETURN(
        const StudyPlan study,
        ReadStudyPlan(plan, {.sae = preset.sae,
                             .eval = preset.eval,
                             .layers = loaded.model->facts().n_layer,
                             .seeds = seeds,
                             .subject = run.subject}));
    const EvalSet set = EvalSetOf(corpus);
    run.inputs.model = std::move(loaded.model);
    run.inputs.tokenizer =
        std::make_shared<const Tokenizer>(std::move(tokenizer));
    run.inputs.set = &set;
    run.directory = work;
    Progress progress(stdout, stderr);
    run.progress = &progress;
    CatchStopSignals();
    run.should_stop = StopSignalCame;
    if (!report) ALIGNSAE_RETURN_IF_ERROR(RunStudy(study, run));
    ALIGNSAE_RETURN_IF_ERROR(WriteStudyReport(study, work));
    const std::string path = absl::StrCat(work, "/", study.name, "/report.md");
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    std::cout << text << "\n" << path << "\n";
    return absl::OkStatus();
  }
};

}  // namespace

void RegisterStudy(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<StudyCommand>();
  CLI::App* sub = app.add_subcommand(
      "study",
      "Train and measure many SAEs by a plan, and report them side by side; "
      "goes on where it was stopped");
  AddPresetFlag(*sub, command->preset);
  sub->add_option("plan", command->plan,
                  absl::StrCat(absl::StrJoin(StudyPlanNames(), ", "),
                               ", or a file (study/plan.h)"))
      ->required();
  sub->add_option("--data", command->data, "Directory made by `data`")
      ->required();
  sub->add_option("--model", command->model,
                  "Hugging Face directory, such as gpt2/ of `lm`")
      ->required();
  sub->add_option("--work", command->work, "Directory of the cells and reports")
      ->required();
  sub->add_option("--seeds", command->seeds, "Of each setting")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  sub->add_option("--shard", command->shard,
                  "i/n: only every n-th cell from the i-th on; processes with "
                  "one --work each take their own")
      ->capture_default_str();
  sub->add_flag("--report", command->report,
                "Only report the cells that are there");
  AddDeviceFlag(*sub, command->device);
  AddThreadsFlag(*sub, command->threads);
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
