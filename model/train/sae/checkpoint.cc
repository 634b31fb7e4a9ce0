#include "model/train/sae/checkpoint.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/sae/written.h"
#include "model/tensor/torch_fence.h"
#include "model/train/common/signatures.h"
#include "model/train/data/corpus.h"
#include "model/train/sae/class_means.h"
#include "model/train/sae/losses.h"
#include "model/train/sae/rows.h"
#include "model/train/sae/span_mean.h"

namespace alignsae {
namespace {

constexpr char kStateFile[] = "/training.safetensors";
constexpr char kHeadsFile[] = "/value_heads.safetensors";

std::vector<Concept> ConceptsAt(const std::vector<std::string>& relations,
                                const std::vector<int>& slots) {
  std::vector<Concept> concepts;
  for (size_t r = 0; r < slots.size(); ++r) {
    Concept entry;
    entry.name = relations[r];
    entry.slot = slots[r];
    entry.description = DescriptionOf(relations[r]);
    concepts.push_back(std::move(entry));
  }
  return concepts;
}

// Where slots of prompts at such places mean something.
absl::StatusOr<TrainedPositions> PositionsOf(
    const PromptSet& set, absl::Span<const PositionedPrompt> located,
    const SaeOptions& options) {
  if (options.span == "mean") {
    const bool named = std::any_of(set.prompts.begin(), set.prompts.end(),
                                   [](const LabelledPrompt& prompt) {
                                     return !prompt.position_text.empty();
                                   });
    if (named) return TrainedPositions::kSpan;
    return absl::InvalidArgumentError(
        absl::StrCat("span: must be last where no prompt of ", set.file,
                     " has a text as its \"position\", got \"mean\""));
  }
  const bool last = std::all_of(
      located.begin(), located.end(), [](const PositionedPrompt& prompt) {
        return prompt.position + 1 == static_cast<int>(prompt.tokens.size());
      });
  return last ? TrainedPositions::kLast : TrainedPositions::kLabelled;
}

// A line of log.jsonl: the terms that the stage computes.
nlohmann::ordered_json EpochJson(const SaeEpochLog& log) {
  nlohmann::ordered_json line = {
      {"epoch", log.epoch}, {"stage", log.stage}, {"total", log.total}};
  for (const auto& [name, value] : TermsOf(log)) {
    if (value) line[name] = *value;
  }
  return line;
}

// TrainSae with a progress bar, and every epoch in log.jsonl.
absl::StatusOr<TrainedSae> TrainWithProgress(const SaeInputs& inputs,
                                             const SaePlan& plan) {
  bool started = false;
  std::optional<JsonLog> file;
  SaeRun run;
  run.state_path = absl::StrCat(plan.directory, kStateFile);
  run.on_epoch = [&](const SaeEpochLog& log, int epochs) -> absl::Status {
    if (!file.has_value()) {  // Opened here, where the epoch is known.
      ALIGNSAE_ASSIGN_OR_RETURN(
          file, JsonLog::Open(absl::StrCat(plan.directory, "/log.jsonl"),
                              "epoch", log.epoch - 1));
    }
    ALIGNSAE_RETURN_IF_ERROR(file->Append(EpochJson(log)));
    if (plan.progress != nullptr) {
      if (!started) plan.progress->Start(plan.title, log.epoch - 1, epochs);
      started = true;
      plan.progress->Update(log.epoch, EpochLogLine(log));
      if (log.epoch % 10 == 0 || log.epoch == epochs) {
        plan.progress->Line(absl::StrCat(plan.title, " epoch ", log.epoch, "/",
                                         epochs, " ", EpochLogLine(log)));
      }
    }
    if (plan.should_stop && plan.should_stop()) {
      return absl::CancelledError(
          absl::StrCat(plan.title, ": stopped after epoch ", log.epoch, " of ",
                       epochs, "; the same command goes on from there"));
    }
    return absl::OkStatus();
  };
  const SaeDataset data =
      DatasetAt(inputs.train, plan.hook, inputs.relations, inputs.device);
  absl::StatusOr<TrainedSae> trained = TrainSae(data, plan.options, run);
  if (started) plan.progress->Finish();
  return trained;
}

// A slot that is silent where its concept is asked reads and writes nothing,
// whatever the others' accuracy says.
absl::Status CheckSlotsAreActive(const SaeConfig& config) {
  std::vector<std::string> silent;
  for (const Concept& entry : config.concepts) {
    if (entry.active_mean > 0) continue;
    silent.push_back(absl::StrCat(entry.name, " (", entry.active_mean, ")"));
  }
  if (silent.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "active_mean: must be above 0 for every concept slot after training, "
      "got ",
      absl::StrJoin(silent, ", "),
      "; lower perp (or use perp_form covariance), raise align or prefix, or "
      "start with init class_means"));
}

// The write certificates of the training rows.
absl::StatusOr<std::vector<WriteCertificate>> WrittenIn(const SaeInputs& inputs,
                                                        const Sae& sae) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const at::Tensor means,
      WithTorchFence([&]() -> absl::StatusOr<at::Tensor> {
        ALIGNSAE_ASSIGN_OR_RETURN(
            const at::Tensor of,
            ClassMeans(inputs.train.by_hook.at(sae.config().hook),
                       HasConcept(inputs.train.has_concept, inputs.train.labels,
                                  sae.concept_count())));
        return of.to(at::kFloat);
      }));
  return MeasureWritten(sae, means);
}

// A slot that reads and does not write has no useful alpha.
absl::Status CheckSlotsWrite(const std::vector<Concept>& concepts,
                             const std::vector<WriteCertificate>& written) {
  std::vector<std::string> bad;
  for (size_t r = 0; r < concepts.size(); ++r) {
    if (written[r].cosine > 0 && written[r].written_share > 0) continue;
    bad.push_back(absl::StrFormat("%s (cosine %.3f, written share %.3f)",
                                  concepts[r].name, written[r].cosine,
                                  written[r].written_share));
  }
  if (bad.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "cosine and written_share: must be above 0 for every concept slot after "
      "training, got ",
      absl::StrJoin(bad, ", "),
      "; add prefix (0.1), or keep perp or sparse above 0; --allow-unwritten "
      "writes the checkpoint all the same"));
}

// Free features that no training row activates, of all of them.
double DeadShare(const SaeInputs& inputs, const Sae& sae) {
  at::NoGradGuard no_grad;
  const int64_t concepts = sae.concept_count();
  const int64_t free = sae.config().n_features - concepts;
  at::Tensor fired;  // [K]
  const at::Tensor& h = inputs.train.by_hook.at(sae.config().hook);
  constexpr int64_t kDeadRows = 1024;  // Times 10,000 features are 40 MB.
  for (int64_t begin = 0; begin < h.size(0); begin += kDeadRows) {
    const at::Tensor z =
        sae.Encode(h.narrow(0, begin, std::min(kDeadRows, h.size(0) - begin)))
            .narrow(1, concepts, free);
    const at::Tensor now = z.ne(0).any(0);
    fired = fired.defined() ? fired.logical_or(now) : now;
  }
  return fired.logical_not().to(at::kFloat).mean().item<double>();
}

// What the training itself shows; `written` may be empty.
absl::StatusOr<RecipeFigures> TrainingFigures(
    const SaeInputs& inputs, const Sae& sae, const TrainedSae& trained,
    const std::vector<WriteCertificate>& written) {
  RecipeFigures figures;
  for (const WriteCertificate& each : written) {
    figures.cosine =
        std::min(each.cosine, figures.cosine.value_or(each.cosine));
    figures.written_share = std::min(
        each.written_share, figures.written_share.value_or(each.written_share));
  }
  figures.losses.resize(2);
  for (const SaeEpochLog& epoch : trained.log) {
    figures.losses[epoch.stage - 1].push_back(epoch.total);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(figures.dead_share, WithTorchFence([&] {
                              return DeadShare(inputs, sae);
                            }));
  return figures;
}

}  // namespace

std::vector<int> SaePeople(const EvalSet& set, const SaeOptions& options) {
  std::vector<int> people;
  for (size_t i = 0; i < set.people.size(); ++i) {
    if (options.people == "all" || set.people[i].asked) {
      people.push_back(static_cast<int>(i));
    }
  }
  return people;
}

absl::StatusOr<SaeInputs> CollectSaeInputs(const Transformer& model,
                                           const Tokenizer& tokenizer,
                                           const EvalSet& set,
                                           const SaeOptions& options,
                                           const std::vector<HookPoint>& hooks,
                                           const ResidualRoom& room) {
  const std::vector<int> people = SaePeople(set, options);
  SaeInputs inputs;
  inputs.relations = set.relations;
  inputs.device = model.device();
  ALIGNSAE_ASSIGN_OR_RETURN(inputs.train,
                            CollectQuestions(model, tokenizer, set, people,
                                             Split::kSaeTrain, hooks, room));
  ALIGNSAE_ASSIGN_OR_RETURN(inputs.validation,
                            CollectQuestions(model, tokenizer, set, people,
                                             Split::kValidation, hooks, room));
  return inputs;
}

absl::StatusOr<SaeInputs> CollectSaeInputs(const Transformer& model,
                                           const Tokenizer& tokenizer,
                                           const PromptSet& set,
                                           const SaeOptions& options,
                                           const std::vector<HookPoint>& hooks,
                                           const ResidualRoom& room) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<PositionedPrompt> located,
      TokenizePrompts(set, tokenizer, model.facts().context_length,
                      model.facts().vocab_size));
  SaeInputs inputs;
  ALIGNSAE_ASSIGN_OR_RETURN(inputs.positions,
                            PositionsOf(set, located, options));
  const auto collect = [&](Split split) {
    return CollectPrompts(model, tokenizer, set, located, split, hooks,
                          inputs.positions, room);
  };
  inputs.relations = set.concepts;
  inputs.device = model.device();
  ALIGNSAE_ASSIGN_OR_RETURN(inputs.train, collect(Split::kSaeTrain));
  ALIGNSAE_ASSIGN_OR_RETURN(inputs.validation, collect(Split::kValidation));
  return inputs;
}

absl::StatusOr<SaeConfig> CalibratedConfig(const SaeInputs& inputs,
                                           SaeConfig config,
                                           const SaeWeights& weights,
                                           const std::vector<int>& slots) {
  config.concepts = ConceptsAt(inputs.relations, slots);
  ALIGNSAE_ASSIGN_OR_RETURN(const Sae sae, Sae::FromWeights(config, weights));
  return WithTorchFence([&]() -> absl::StatusOr<SaeConfig> {
    at::NoGradGuard no_grad;
    const auto values = [&](const QuestionResiduals& questions) {
      const at::Tensor& h = questions.by_hook.at(config.hook);
      return MeanOfPrompts(
          InParts(h,
                  [&sae](const at::Tensor& part) {
                    return sae.ConceptActivate(sae.ConceptPre(part));
                  }),
          questions.prompts);  // [prompts, R]
    };
    const auto own = [&](const QuestionResiduals& questions) {
      return AnyOfPrompts(HasConcept(questions.has_concept, questions.labels,
                                     sae.concept_count()),
                          questions.prompts);
    };
    const std::vector<ConceptCalibration> calibrations =
        CalibrateConcepts(values(inputs.train), own(inputs.train),
                          values(inputs.validation), own(inputs.validation));
    for (size_t r = 0; r < calibrations.size(); ++r) {
      config.concepts[r].active_mean = calibrations[r].active_mean;
      config.concepts[r].threshold = calibrations[r].threshold;
    }
    return config;
  });
}

absl::StatusOr<Sae> MakeSae(const SaeInputs& inputs, const SaePlan& plan) {
  ALIGNSAE_ASSIGN_OR_RETURN(const TrainedSae trained,
                            TrainWithProgress(inputs, plan));
  SaeConfig config;
  config.d_model = trained.shape.d_model;
  config.n_features = trained.shape.features();
  config.hook = plan.hook;
  config.activation = trained.shape.activation;
  config.k = trained.shape.k;
  config.scale = trained.scale;
  config.trained = inputs.positions;
  std::vector<int> slots(trained.shape.concepts);
  std::iota(slots.begin(), slots.end(), 0);
  ALIGNSAE_ASSIGN_OR_RETURN(config, CalibratedConfig(inputs, std::move(config),
                                                     trained.weights, slots));
  ALIGNSAE_ASSIGN_OR_RETURN(Sae sae, Sae::FromWeights(config, trained.weights));
  std::vector<WriteCertificate> written;
  if (plan.options.stage2_epochs > 0) {  // Stage 1 alone binds no slot.
    ALIGNSAE_RETURN_IF_ERROR(CheckSlotsAreActive(config));
    ALIGNSAE_ASSIGN_OR_RETURN(written, WrittenIn(inputs, sae));
    if (!plan.allow_unwritten) {
      ALIGNSAE_RETURN_IF_ERROR(CheckSlotsWrite(config.concepts, written));
    }
  }
  if (plan.progress != nullptr) {
    ALIGNSAE_ASSIGN_OR_RETURN(const RecipeFigures figures,
                              TrainingFigures(inputs, sae, trained, written));
    const std::string wrong = RenderSignatures(SignaturesOf(figures));
    if (!wrong.empty()) {
      plan.progress->Line(
          absl::StrCat(plan.title, ": what the training shows\n",
                       absl::StripTrailingAsciiWhitespace(wrong)));
    }
  }
  ALIGNSAE_RETURN_IF_ERROR(
      SaveValueHeads(absl::StrCat(plan.directory, kHeadsFile), trained.heads));
  ALIGNSAE_RETURN_IF_ERROR(SaveSae(plan.directory, config, trained.weights));
  std::error_code error;
  std::filesystem::remove(absl::StrCat(plan.directory, kStateFile), error);
  return sae;
}

}  // namespace alignsae
