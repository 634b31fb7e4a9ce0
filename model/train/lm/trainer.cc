#include "model/train/lm/trainer.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "model/base/directory_lock.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/gpt2.h"
#include "model/tensor/device.h"
#include "model/tensor/torch_fence.h"
#include "model/train/common/checkpoint.h"
#include "model/train/common/optimizer.h"
#include "model/train/lm/data.h"
#include "model/train/lm/epoch_sums.h"
#include "model/train/lm/forward.h"
#include "model/train/lm/kept.h"
#include "model/train/lm/model.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

// null: not known.
Json NumberOrNull(std::optional<double> value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

std::string NumberOrUnknown(std::optional<double> value) {
  return value.has_value() ? absl::StrFormat("%.4f", *value) : "not known";
}

// How fast the steps of one epoch went that this process ran.
struct EpochSpeed {
  int64_t tokens = 0;
  double seconds = 0;

  double TokensPerSecond() const { return seconds > 0 ? tokens / seconds : 0; }
};

// What decides the weights: a checkpoint with another one is not continued.
Json Fingerprint(const LmTexts& texts, const LmOptions& options,
                 absl::string_view vocabulary, const std::string& initial,
                 at::Device device) {
  Json json = FieldsToJson(options);
  for (const char* name :
       {"probe_every", "probe_people", "checkpoint_every", "keep_every"}) {
    json.erase(name);
  }
  json["data_sha256"] = texts.hash;
  json["vocabulary_sha256"] = Sha256Hex(vocabulary);
  json["init_from_sha256"] = initial;
  json["device"] = DeviceKind(device);
  return json;
}

class LmTrainer {
 public:
  LmTrainer(const LmTexts& texts, const LmOptions& options, const LmRun& run)
      : texts_(texts), options_(options), run_(run) {}

  absl::StatusOr<LmResult> Run();
  // Everything that Run() can refuse but the checkpoint; writes nothing.
  absl::Status Prepare();
  int layers() const { return model_->config.n_layer; }

 private:
  absl::Status Resume();
  absl::StatusOr<EpochSpeed> TrainEpoch(int64_t epoch);
  absl::StatusOr<double> TrainStep(const LmBatchPlan& plan);
  absl::Status FinishEpoch(int64_t epoch, const EpochSpeed& speed);
  absl::Status PrepareDirectory();
  absl::Status WriteCheckpoint();
  absl::Status WriteResult(const LmResult& result);
  absl::StatusOr<ProbeResult> Probe(Split split, int subjects) const;
  NamedTensors State() const;
  std::string Path(absl::string_view name) const {
    return absl::StrCat(run_.directory, "/", name);
  }
  void Say(absl::string_view line) {
    if (run_.progress != nullptr) run_.progress->Line(line);
  }
  bool StopWanted() const {
    return (run_.stop_after_steps > 0 &&
            step_ - first_step_ >= run_.stop_after_steps) ||
           (run_.should_stop && run_.should_stop());
  }

  const LmTexts& texts_;
  const LmOptions& options_;
  const LmRun& run_;
  at::Device device_ = at::kCPU;
  VocabularyFiles vocabulary_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<LmExamples> examples_;
  std::optional<InitialModel> model_;
  std::optional<AdamW> adam_;
  DirectoryLock lock_;  // Of the run's directory.
  std::optional<JsonLog> log_;
  Json fingerprint_;
  LearningRateSchedule schedule_;
  int64_t steps_per_epoch_ = 0;
  int64_t step_ = 0;        // Steps done since the beginning.
  int64_t first_step_ = 0;  // Of these, before this run.
  EpochSums sums_;          // Of the epoch of the last step done.
  bool stopped_ = false;
};

absl::Status LmTrainer::Prepare() {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(options_));
  ALIGNSAE_ASSIGN_OR_RETURN(device_, ParseDevice(run_.device));
  if (device_.is_cpu() && options_.matmul != "f32") {
    return absl::InvalidArgumentError(absl::StrCat(
        "matmul: must be f32 on the cpu, got \"", options_.matmul, "\""));
  }
  const std::string& vocabulary_source = run_.tokenizer_directory.empty()
                                             ? run_.init_from
                                             : run_.tokenizer_directory;
  ALIGNSAE_ASSIGN_OR_RETURN(
      vocabulary_, MakeVocabulary(texts_, options_, vocabulary_source));
  ALIGNSAE_ASSIGN_OR_RETURN(
      tokenizer_,
      Tokenizer::FromFiles(vocabulary_.vocab_json, vocabulary_.merges_txt, ""));
  ALIGNSAE_ASSIGN_OR_RETURN(
      model_, MakeInitialModel(options_, *tokenizer_, run_.init_from, device_));
  ALIGNSAE_ASSIGN_OR_RETURN(
      examples_,
      LmExamples::Create(texts_, *tokenizer_, model_->config.context_length));
  adam_.emplace(TrainedParameters(model_->weights),
                AdamWOptions{.beta1 = options_.beta1,
                             .beta2 = options_.beta2,
                             .weight_decay = options_.weight_decay});
  steps_per_epoch_ = examples_->StepsPerEpoch(options_);
  schedule_ = {.peak = options_.learning_rate,
               .warmup_steps = options_.warmup_steps,
               .total_steps = steps_per_epoch_ * options_.epochs,
               .floor_ratio = options_.floor_ratio};
  std::string initial;  // By content: a directory may change behind its name.
  if (!run_.init_from.empty()) {
    for (const char* file : {"/config.json", "/model.safetensors"}) {
      ALIGNSAE_ASSIGN_OR_RETURN(
          const std::string hash,
          Sha256OfFile(absl::StrCat(run_.init_from, file)));
      initial += hash;
    }
  }
  fingerprint_ = Fingerprint(texts_, options_,
                             vocabulary_.vocab_json + vocabulary_.merges_txt,
                             initial, device_);
  return absl::OkStatus();
}

absl::Status LmTrainer::Resume() {
  ALIGNSAE_RETURN_IF_ERROR(lock_.TakeIfThere(run_.directory));
  const std::string path = Path("training.safetensors");
  if (!run_.restart && FileExists(path)) {
    ALIGNSAE_ASSIGN_OR_RETURN(const TrainingStateFile file,
                              TrainingStateFile::Open(path));
    ALIGNSAE_RETURN_IF_ERROR(
        CheckSameOptions(path, fingerprint_, file.Metadata("options")));
    if (!absl::SimpleAtoi(file.Metadata("step"), &step_) || step_ < 0 ||
        step_ > schedule_.total_steps) {
      return absl::DataLossError(
          absl::StrCat(path, ": step: must be in [0, ", schedule_.total_steps,
                       "], got \"", file.Metadata("step"), "\""));
    }
    ALIGNSAE_ASSIGN_OR_RETURN(sums_,
                              EpochSums::FromJson(file.Metadata("epoch_sums")));
    ALIGNSAE_RETURN_IF_ERROR(file.CopyInto(State()));
    adam_->set_steps(step_);
    first_step_ = step_;
    Say(absl::StrCat("resuming after step ", step_));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(log_, JsonLog::Open(Path("log.jsonl"), "epoch",
                                                step_ / steps_per_epoch_));
  // From here on the run may write.
  std::error_code error;  // What an earlier run kept is of other weights.
  if (step_ == 0) std::filesystem::remove_all(Path("kept"), error);
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(Path("gpt2")));
  return lock_.Take(run_.directory);
}

NamedTensors LmTrainer::State() const {
  NamedTensors state = adam_->State();
  for (const TrainedTensor& parameter : adam_->parameters()) {
    state.emplace_back(parameter.name, parameter.value);
  }
  return state;
}

absl::StatusOr<double> LmTrainer::TrainStep(const LmBatchPlan& plan) {
  return WithTorchFence([&]() -> absl::StatusOr<double> {
    const Tf32Products products(options_.matmul == "tf32");
    const LmBatch batch = Collate(plan.examples, device_);
    at::Tensor loss = LmLoss(model_->config, model_->weights, batch);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("learning_rate: must keep the loss finite, got ", value,
                       " at step ", step_ + 1, "; lower it"));
    }
    loss.backward();
    adam_->ClipGradNorm(options_.clip_norm);
    adam_->Step(LearningRate(schedule_, step_));
    return value;
  });
}

absl::StatusOr<EpochSpeed> LmTrainer::TrainEpoch(int64_t epoch) {
  const absl::Time start = absl::Now();
  EpochSpeed speed;
  const std::vector<LmBatchPlan> plans =
      examples_->EpochBatches(options_, epoch);
  const size_t first = step_ - epoch * steps_per_epoch_;
  if (first == 0) sums_ = EpochSums();
  for (size_t i = first; i < plans.size(); ++i) {
    ALIGNSAE_ASSIGN_OR_RETURN(const double loss, TrainStep(plans[i]));
    ++step_;
    sums_.Add(plans[i].questions, loss);
    for (const LmExample* example : plans[i].examples) {
      speed.tokens += static_cast<int64_t>(example->tokens.size());
    }
    if (run_.progress != nullptr) {
      run_.progress->Update(
          step_, absl::StrFormat("epoch %d loss %.3f", epoch + 1, loss));
    }
    stopped_ = StopWanted() && step_ < schedule_.total_steps;
    if (stopped_) break;
  }
  speed.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return speed;
}

absl::StatusOr<ProbeResult> LmTrainer::Probe(Split split, int subjects) const {
  const Gpt2 model(model_->config, model_->weights);
  return ProbeAccuracy(model, *tokenizer_, texts_, split, subjects);
}

absl::Status LmTrainer::FinishEpoch(int64_t epoch, const EpochSpeed& speed) {
  const int64_t number = epoch + 1;
  const double lr = LearningRate(schedule_, step_ - 1);
  Json line = {{"epoch", number},
               {"step", step_},
               {"biography_loss", NumberOrNull(sums_.MeanBiographyLoss())},
               {"question_loss", NumberOrNull(sums_.MeanQuestionLoss())},
               {"learning_rate", lr},
               {"tokens_per_second", speed.TokensPerSecond()}};
  // An epoch that was stopped took longer than this process knows of.
  if (first_step_ <= epoch * steps_per_epoch_) line["seconds"] = speed.seconds;
  std::string text = absl::StrFormat(
      "epoch %d/%d  step %d  loss: biographies %s, questions %s  lr %.2e  "
      "%.0f tokens/s",
      number, options_.epochs, step_,
      NumberOrUnknown(sums_.MeanBiographyLoss()),
      NumberOrUnknown(sums_.MeanQuestionLoss()), lr, speed.TokensPerSecond());
  if (options_.probe_every > 0 && number % options_.probe_every == 0 &&
      number < options_.epochs) {
    ALIGNSAE_ASSIGN_OR_RETURN(const ProbeResult probe, WithTorchFence([&] {
                                // Test wordings are for the end alone.
                                return Probe(Split::kValidation,
                                             options_.probe_people);
                              }));
    line["accuracy_asked"] = AccuracyToJson(probe.asked, texts_.groups);
    line["accuracy_never_asked"] =
        AccuracyToJson(probe.never_asked, texts_.groups);
    absl::StrAppendFormat(&text, "  answers: asked %.3f, never asked %.3f",
                          probe.asked.mean, probe.never_asked.mean);
  }
  if (run_.progress != nullptr) {
    absl::StrAppend(&text, "  eta ", ShortDuration(run_.progress->Eta(step_)));
  }
  Say(text);
  ALIGNSAE_RETURN_IF_ERROR(log_->Append(line));
  if (options_.keep_every > 0 && number % options_.keep_every == 0) {
    ALIGNSAE_RETURN_IF_ERROR(SaveLanguageModel(
        KeptDirectory(run_.directory, number), vocabulary_, *model_));
  }
  const bool due = number % options_.checkpoint_every == 0;
  return due || number == options_.epochs ? WriteCheckpoint()
                                          : absl::OkStatus();
}

// Takes away what tells of another model, and writes the log.
absl::Status LmTrainer::PrepareDirectory() {
  if (step_ < schedule_.total_steps) {
    std::error_code error;
    std::filesystem::remove(Path("lm.json"), error);
    if (error) return PosixError(Path("lm.json"), "remove", error.value());
  }
  return log_->Write();
}

absl::Status LmTrainer::WriteCheckpoint() {
  return WithTorchFence([&]() -> absl::Status {
    ALIGNSAE_RETURN_IF_ERROR(PrepareDirectory());
    // Before the state: "done" must not stand beside an older model.
    ALIGNSAE_RETURN_IF_ERROR(
        SaveLanguageModel(Path("gpt2"), vocabulary_, *model_));
    return WriteTrainingState(Path("training.safetensors"), State(),
                              {{"options", fingerprint_.dump()},
                               {"step", absl::StrCat(step_)},
                               {"epoch_sums", sums_.ToJson()}});
  });
}

absl::Status LmTrainer::WriteResult(const LmResult& result) {
  const Json json = {
      {"options", FieldsToJson(options_)},
      {"data_sha256", texts_.hash},
      {"init_from", run_.init_from},
      {"device", DeviceKind(device_)},
      {"steps", result.steps},
      {"biography_loss", NumberOrNull(result.biography_loss)},
      {"question_loss", NumberOrNull(result.question_loss)},
      {"accuracy_asked", AccuracyToJson(result.accuracy.asked, texts_.groups)},
      {"accuracy_never_asked",
       AccuracyToJson(result.accuracy.never_asked, texts_.groups)}};
  return WriteFileAtomically(Path("lm.json"), json.dump(2) + "\n");
}

absl::StatusOr<LmResult> LmTrainer::Run() {
  ALIGNSAE_RETURN_IF_ERROR(
      WithTorchFence([&]() -> absl::Status { return Prepare(); }));
  ALIGNSAE_RETURN_IF_ERROR(
      WithTorchFence([&]() -> absl::Status { return Resume(); }));
  int64_t weights = 0;
  for (const TrainedTensor& p : adam_->parameters()) weights += p.value.numel();
  Say(absl::StrCat("options ", FieldsToJson(options_).dump()));
  Say(absl::StrCat("vocabulary ", tokenizer_->vocab_size(), ", ", weights,
                   " weights, ", steps_per_epoch_, " steps per epoch, ",
                   schedule_.total_steps, " in all"));
  if (run_.progress != nullptr) {
    run_.progress->Start("lm", step_, schedule_.total_steps);
  }
  LmResult result;
  // Trained before: only the files are made sure of.
  const bool done_before = step_ == schedule_.total_steps;
  if (done_before) ALIGNSAE_RETURN_IF_ERROR(WriteCheckpoint());
  while (step_ < schedule_.total_steps && !stopped_) {
    const int64_t epoch = step_ / steps_per_epoch_;
    ALIGNSAE_ASSIGN_OR_RETURN(const EpochSpeed speed, TrainEpoch(epoch));
    ALIGNSAE_RETURN_IF_ERROR(step_ % steps_per_epoch_ == 0
                                 ? FinishEpoch(epoch, speed)
                                 : absl::OkStatus());
  }
  result.biography_loss = sums_.MeanBiographyLoss();
  result.question_loss = sums_.MeanQuestionLoss();
  if (run_.progress != nullptr) run_.progress->Finish();
  result.steps = step_;
  result.finished = step_ == schedule_.total_steps;
  if (!result.finished) {
    Say(absl::StrCat("stopped after step ", step_, "; run again to go on"));
    ALIGNSAE_RETURN_IF_ERROR(WriteCheckpoint());
    return result;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(result.accuracy, WithTorchFence([&] {
                              return Probe(Split::kTest,
                                           std::numeric_limits<int>::max());
                            }));
  Say(absl::StrFormat(
      "finished: answers on test wordings: asked %.4f, never "
      "asked %.4f",
      result.accuracy.asked.mean, result.accuracy.never_asked.mean));
  if (!done_before || !FileExists(Path("lm.json"))) {
    ALIGNSAE_RETURN_IF_ERROR(WriteResult(result));
  }
  return result;
}

}  // namespace

absl::StatusOr<int> CheckLm(const LmTexts& texts, const LmOptions& options,
                            const LmRun& run) {
  LmTrainer trainer(texts, options, run);
  ALIGNSAE_RETURN_IF_ERROR(
      WithTorchFence([&]() -> absl::Status { return trainer.Prepare(); }));
  return trainer.layers();
}

absl::StatusOr<LmResult> TrainLm(const LmTexts& texts, const LmOptions& options,
                                 const LmRun& run) {
  return LmTrainer(texts, options, run).Run();
}

}  // namespace alignsae
