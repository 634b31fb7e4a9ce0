#include "model/train/pipeline/pipeline.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle_writer.h"
#include "model/bundle/families.h"
#include "model/io/weight_files.h"
#include "model/tensor/device.h"
#include "model/train/data/corpus_file.h"
#include "model/train/eval/baselines.h"
#include "model/train/eval/eval.h"
#include "model/train/eval/examples.h"
#include "model/train/lm/trainer.h"
#include "model/train/pipeline/bundle.h"
#include "model/train/pipeline/command.h"
#include "model/train/pipeline/stage.h"
#include "model/train/pipeline/stage_plan.h"
#include "model/train/sae/checkpoint.h"

namespace alignsae {
namespace {

constexpr char kModelDirectory[] = "lm/gpt2";

// "resid_post_1": a file name for the hook behind block 1.
std::string FileName(const HookPoint& hook) {
  return absl::StrCat(HookKindName(hook.kind), "_", hook.layer);
}

absl::StatusOr<nlohmann::json> ReadJson(const std::string& path) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseJson(text);
}

class Pipeline {
 public:
  Pipeline(const TrainPreset& preset, const PipelineRun& run)
      : preset_(preset), run_(run), book_(run.work, run.commit, run.progress) {}

  absl::StatusOr<nlohmann::json> Run() {
    ALIGNSAE_RETURN_IF_ERROR(CheckOptions());
    ALIGNSAE_RETURN_IF_ERROR(MakeData());
    ALIGNSAE_RETURN_IF_ERROR(TrainModel());
    ALIGNSAE_RETURN_IF_ERROR(LoadModel());
    ALIGNSAE_RETURN_IF_ERROR(TrainSaes());
    ALIGNSAE_RETURN_IF_ERROR(EvaluateSaes());
    ALIGNSAE_RETURN_IF_ERROR(MeasureBaselines());
    ALIGNSAE_RETURN_IF_ERROR(WriteBundle());
    return evaluation_;
  }

 private:
  absl::Status CheckOptions();
  absl::Status MakeData();
  absl::Status TrainModel();
  absl::Status LoadModel();
  absl::Status TrainSaes();
  absl::Status EvaluateSaes();
  absl::Status MeasureBaselines();
  absl::Status WriteBundle();

  // Residuals for all SAEs, collected when the first of them needs them.
  absl::StatusOr<const SaeInputs*> Inputs();
  SaePlan PlanFor(const HookPoint& hook, const std::string& directory,
                  const std::string& title) const;
  EvalReporter Reporter(const std::string& title) const;
  LmRun LmRunOf() const;
  absl::Status AddExamplesAndCertificates(const SteeringChoice& choice,
                                          BundleParts& parts);
  std::string BundleName() const {
    return run_.name.empty() ? preset_.name : run_.name;
  }
  bool StopWanted() const { return run_.should_stop && run_.should_stop(); }

  const TrainPreset& preset_;
  const PipelineRun& run_;
  StageBook book_;
  Corpus corpus_;
  EvalSet set_;
  at::Device device_ = at::kCPU;
  std::string data_digest_;
  std::string model_digest_;
  std::string sae_digests_;
  std::shared_ptr<const Transformer> model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<HookPoint> hooks_;
  std::optional<SaeInputs> inputs_;
  nlohmann::json evaluation_;
};

// Before hours of training, not after them, and before an earlier run's files
// are touched.
absl::Status Pipeline::CheckOptions() {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(preset_.data));
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(preset_.lm));
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(preset_.sae));
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(preset_.eval));
  ALIGNSAE_RETURN_IF_ERROR(ParseAlphas(preset_.eval.alphas).status());
  ALIGNSAE_RETURN_IF_ERROR(ParseModes(preset_.eval.modes).status());
  ALIGNSAE_RETURN_IF_ERROR(ParseBaselines(preset_.pipeline.baselines).status());
  ALIGNSAE_RETURN_IF_ERROR(CheckSaeOptions(preset_.sae));
  ALIGNSAE_RETURN_IF_ERROR(CheckManifestName("name", BundleName()));
  ALIGNSAE_RETURN_IF_ERROR(CheckManifestName("version", run_.version));
  ALIGNSAE_RETURN_IF_ERROR(CheckReplaceableByBundle(run_.out));
  ALIGNSAE_ASSIGN_OR_RETURN(device_, ParseDevice(run_.device));
  ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus, GenerateCorpus(preset_.data));
  ALIGNSAE_ASSIGN_OR_RETURN(const int layers,
                            CheckLm(LmTextsOf(corpus), preset_.lm, LmRunOf()));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<HookPoint> chosen,
                            ParseHooks(preset_.pipeline.layers, layers));
  if (run_.progress == nullptr) return absl::OkStatus();
  std::vector<std::string> hooks;
  for (const HookPoint& hook : chosen) hooks.push_back(FileName(hook));
  run_.progress->Plan(
      PipelineParts(hooks, *ParseBaselines(preset_.pipeline.baselines)));
  return absl::OkStatus();
}

LmRun Pipeline::LmRunOf() const {
  LmRun lm;
  lm.directory = book_.Path("lm");
  lm.tokenizer_directory = run_.tokenizer_directory;
  lm.init_from = run_.init_from;
  lm.device = run_.device;
  lm.should_stop = run_.should_stop;
  lm.progress = run_.progress;
  return lm;
}

absl::Status Pipeline::MakeData() {
  ALIGNSAE_ASSIGN_OR_RETURN(
      data_digest_,
      book_.Run({.name = "data",
                 .inputs = FieldsToJson(preset_.data).dump(),
                 .outputs = {"data/data.json", "data/people.jsonl",
                             "data/biographies.jsonl", "data/questions.jsonl"},
                 .run = [&]() -> absl::Status {
                   ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus,
                                             GenerateCorpus(preset_.data));
                   return WriteCorpus(book_.Path("data"), corpus);
                 }}));
  ALIGNSAE_ASSIGN_OR_RETURN(corpus_, ReadCorpus(book_.Path("data")));
  set_ = EvalSetOf(corpus_);
  return absl::OkStatus();
}

absl::Status Pipeline::TrainModel() {
  if (!run_.init_from.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(CheckWholeWeights(run_.init_from));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string initial,
      HashesOf(run_.init_from, {"config.json", "model.safetensors"}));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string merges,
      HashesOf(run_.tokenizer_directory, {"vocab.json", "merges.txt"}));
  std::vector<std::string> outputs;
  for (const char* file :
       {"config.json", "model.safetensors", "vocab.json", "merges.txt"}) {
    outputs.push_back(absl::StrCat(kModelDirectory, "/", file));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      model_digest_,
      book_.Run({.name = "lm",
                 .inputs = absl::StrCat(data_digest_, " ",
                                        FieldsToJson(preset_.lm).dump(), " ",
                                        DeviceKind(device_), initial, merges),
                 .outputs = std::move(outputs),
                 .state = {"lm/training.safetensors"},
                 .run = [&]() -> absl::Status {
                   ALIGNSAE_ASSIGN_OR_RETURN(
                       const LmResult result,
                       TrainLm(LmTextsOf(corpus_), preset_.lm, LmRunOf()));
                   return result.finished ? absl::OkStatus()
                                          : absl::CancelledError("lm: stopped");
                 }}));
  return absl::OkStatus();
}

absl::Status Pipeline::LoadModel() {
  const std::string directory = book_.Path(kModelDirectory);
  ALIGNSAE_ASSIGN_OR_RETURN(
      LoadedTransformer loaded,
      LoadTransformer(directory, device_, WeightType::kF32));
  ALIGNSAE_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::Load(directory));
  model_ = std::move(loaded.model);
  tokenizer_ = std::make_shared<const Tokenizer>(std::move(tokenizer));
  ALIGNSAE_ASSIGN_OR_RETURN(
      hooks_, ParseHooks(preset_.pipeline.layers, model_->facts().n_layer));
  return absl::OkStatus();
}

absl::StatusOr<const SaeInputs*> Pipeline::Inputs() {
  if (!inputs_.has_value()) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        SaeInputs inputs,
        CollectSaeInputs(*model_, *tokenizer_, set_, preset_.sae, hooks_));
    inputs_.emplace(std::move(inputs));
  }
  return &*inputs_;
}

SaePlan Pipeline::PlanFor(const HookPoint& hook, const std::string& directory,
                          const std::string& title) const {
  SaePlan plan;
  plan.hook = hook;
  plan.options = preset_.sae;
  plan.directory = directory;
  plan.title = title;
  plan.progress = run_.progress;
  plan.should_stop = run_.should_stop;
  return plan;
}

EvalReporter Pipeline::Reporter(const std::string& title) const {
  auto last = std::make_shared<std::string>();
  return [this, title, last](const std::string& what, int64_t done,
                             int64_t total) -> absl::Status {
    if (StopWanted()) return absl::CancelledError(title + ": stopped");
    if (run_.progress == nullptr) return absl::OkStatus();
    if (*last != what) run_.progress->Start(title, 0, total);
    *last = what;
    run_.progress->Update(done, what);
    if (done == total) run_.progress->Finish();
    return absl::OkStatus();
  };
}

absl::Status Pipeline::TrainSaes() {
  for (const HookPoint& hook : hooks_) {
    const std::string directory = absl::StrCat("sae/", FileName(hook));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::string digest,
        book_.Run(
            {.name = absl::StrCat("sae_", FileName(hook)),
             .inputs = absl::StrCat(model_digest_, " ", FileName(hook), " ",
                                    FieldsToJson(preset_.sae).dump()),
             .outputs = {directory + "/cfg.json",
                         directory + "/sae_weights.safetensors",
                         directory + "/value_heads.safetensors"},
             .state = {directory + "/training.safetensors"},
             .run = [&]() -> absl::Status {
               ALIGNSAE_ASSIGN_OR_RETURN(const SaeInputs* inputs, Inputs());
               return MakeSae(*inputs,
                              PlanFor(hook, book_.Path(directory),
                                      absl::StrCat("sae ", FileName(hook))))
                   .status();
             }}));
    absl::StrAppend(&sae_digests_, digest, " ");
  }
  return absl::OkStatus();
}

absl::Status Pipeline::EvaluateSaes() {
  const auto evaluate = [&]() -> absl::Status {
    std::vector<Sae> saes;
    for (const HookPoint& hook : hooks_) {
      ALIGNSAE_ASSIGN_OR_RETURN(
          Sae sae, Sae::Load(book_.Path(absl::StrCat("sae/", FileName(hook))),
                             Sae::LoadMode::kWhole, model_->device()));
      saes.push_back(std::move(sae));
    }
    const EvalInputs inputs = {model_, tokenizer_, &set_};
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::unique_ptr<EvalSubject> subject,
        EvalSubject::Create(inputs, std::move(saes), preset_.eval.rows));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const nlohmann::json evaluation,
        Evaluate(*subject, preset_.eval, Reporter("eval")));
    return WriteFileAtomically(book_.Path("evaluation.json"),
                               evaluation.dump(1) + "\n");
  };
  ALIGNSAE_RETURN_IF_ERROR(
      book_
          .Run({.name = "evaluation",
                .inputs = absl::StrCat(sae_digests_,
                                       FieldsToJson(preset_.eval).dump()),
                .outputs = {"evaluation.json"},
                .run = evaluate})
          .status());
  ALIGNSAE_ASSIGN_OR_RETURN(evaluation_,
                            ReadJson(book_.Path("evaluation.json")));
  return absl::OkStatus();
}

absl::Status Pipeline::MeasureBaselines() {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            ParseBaselines(preset_.pipeline.baselines));
  ALIGNSAE_ASSIGN_OR_RETURN(const SteeringChoice choice, ChoiceOf(evaluation_));
  const HookPoint& hook = hooks_[choice.checkpoint];
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(book_.Path("baselines")));
  for (const std::string& name : names) {
    const std::string file = absl::StrCat("baselines/", name, ".json");
    const auto measure = [&]() -> absl::Status {
      ALIGNSAE_ASSIGN_OR_RETURN(const SaeInputs* inputs, Inputs());
      BaselinePlan plan;
      plan.sae =
          PlanFor(hook, book_.Path(absl::StrCat("baselines/", name)), name);
      plan.eval = preset_.eval;
      plan.report = Reporter(name);
      ALIGNSAE_ASSIGN_OR_RETURN(
          const nlohmann::json figures,
          MeasureBaseline(name, {model_, tokenizer_, &set_}, *inputs, plan));
      return WriteFileAtomically(book_.Path(file), figures.dump(1) + "\n");
    };
    ALIGNSAE_RETURN_IF_ERROR(
        book_
            .Run(
                {.name = absl::StrCat("baseline_", name),
                 .inputs = absl::StrCat(model_digest_, " ", FileName(hook), " ",
                                        FieldsToJson(preset_.sae).dump(), " ",
                                        FieldsToJson(preset_.eval).dump()),
                 .outputs = {file},
                 .state = {absl::StrCat("baselines/", name,
                                        "/training.safetensors")},
                 .run = measure})
            .status());
    ALIGNSAE_ASSIGN_OR_RETURN(evaluation_["baselines"][name],
                              ReadJson(book_.Path(file)));
  }
  return absl::OkStatus();
}

absl::Status Pipeline::AddExamplesAndCertificates(const SteeringChoice& choice,
                                                  BundleParts& parts) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      Sae sae, Sae::Load(book_.Path(absl::StrCat(
                             "sae/", FileName(hooks_[choice.checkpoint]))),
                         Sae::LoadMode::kWhole, model_->device()));
  const EvalInputs inputs = {model_, tokenizer_, &set_};
  ALIGNSAE_ASSIGN_OR_RETURN(parts.certified,
                            CertifyOnPeople(inputs, sae, evaluation_));
  std::vector<Sae> saes;
  saes.push_back(std::move(sae));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create(inputs, std::move(saes), preset_.eval.rows));
  SteeringChoice of_subject = choice;
  of_subject.checkpoint = 0;
  ALIGNSAE_ASSIGN_OR_RETURN(parts.examples,
                            ChooseExamples(*subject, of_subject, preset_.eval));
  return absl::OkStatus();
}

absl::Status Pipeline::WriteBundle() {
  ALIGNSAE_ASSIGN_OR_RETURN(const SteeringChoice choice, ChoiceOf(evaluation_));
  // The bundle has one checkpoint, the chosen one.
  evaluation_["chosen"]["checkpoint"] = 0;
  BundleParts parts;
  parts.model_directory = book_.Path(kModelDirectory);
  parts.sae_directory =
      book_.Path(absl::StrCat("sae/", FileName(hooks_[choice.checkpoint])));
  parts.eval_set = &set_;
  parts.manifest.name = BundleName();
  parts.manifest.version = run_.version;
  parts.manifest.evaluation = evaluation_;
  parts.manifest.provenance_command = PipelineCommand(
      preset_, !run_.init_from.empty(), !run_.tokenizer_directory.empty());
  parts.manifest.provenance_seed = preset_.lm.seed;
  parts.manifest.provenance_commits = book_.commits();
  parts.manifest.provenance_commits["bundle"] = run_.commit;
  ALIGNSAE_RETURN_IF_ERROR(AddExamplesAndCertificates(choice, parts));
  ALIGNSAE_RETURN_IF_ERROR(WritePipelineBundle(run_.out, parts));
  if (run_.progress != nullptr) {
    run_.progress->Line(absl::StrCat("bundle: ", run_.out));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<nlohmann::json> RunPipeline(const TrainPreset& preset,
                                           const PipelineRun& run) {
  return Pipeline(preset, run).Run();
}

}  // namespace alignsae
