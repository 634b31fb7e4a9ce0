#include "model/train/eval/eval.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/train/eval/binding.h"
#include "model/train/eval/certificate.h"
#include "model/train/eval/dictionary.h"
#include "model/train/eval/report.h"
#include "model/train/eval/select.h"
#include "model/train/sae/data.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

Json ProtocolToJson(const EvalSet& set, const EvalOptions& options) {
  int asked = 0;
  for (const EvalPerson& person : set.people) asked += person.asked ? 1 : 0;
  Json protocol = {{"people", set.people.size()},
                   {"asked", asked},
                   {"never_asked", static_cast<int>(set.people.size()) - asked},
                   {"options", FieldsToJson(options)}};
  for (const EvalWording& wording : set.wordings) {
    Json& count = protocol["wordings_per_relation"]
                          [std::string(SplitName(wording.split))];
    if (wording.relation == 0) {
      count = count.is_null() ? 1 : count.get<int>() + 1;
    }
  }
  return protocol;
}

absl::StatusOr<Json> Answers(EvalSubject& subject, Split split,
                             const EvalOptions& options,
                             const EvalReporter& report) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<HalvesCounts> answers,
      MeasureAnswers(ContextOf(subject, options, report,
                               absl::StrCat("answers, ", SplitName(split))),
                     PromptsOf(subject, options.sample, split)));
  return AnswersToJson(answers, subject.set().relations);
}

absl::StatusOr<Json> BindingFigures(EvalSubject& subject, Split split,
                                    int checkpoint,
                                    const EvalOptions& options) {
  std::vector<double> thresholds;
  for (const Concept& entry : subject.saes()[checkpoint].config().concepts) {
    thresholds.push_back(entry.threshold);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const BindingTable table,
      MeasureBinding(ContextOf(subject, options, nullptr, ""),
                     PromptsOf(subject, options.sample, split), checkpoint,
                     thresholds));
  return BindingToJson(table, subject.set().relations);
}

// At all alphas of the options (of held-out splits at `alpha` alone), and in
// full at `alpha`.
absl::StatusOr<Json> SwapFigures(EvalSubject& subject, Split split,
                                 const Steering& steering, double alpha,
                                 const EvalOptions& options,
                                 const EvalReporter& report) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::vector<double> alphas,
                            ParseAlphas(options.alphas));
  if (split != Split::kTest && split != Split::kUnseen) alphas = {alpha};
  const auto found = std::find(alphas.begin(), alphas.end(), alpha);
  const size_t chosen = found - alphas.begin();
  if (found == alphas.end()) alphas.push_back(alpha);
  ALIGNSAE_ASSIGN_OR_RETURN(
      const SwapTable table,
      MeasureSwaps(ContextOf(subject, options, report,
                             absl::StrCat("swaps, ", SplitName(split))),
                   PromptsOf(subject, options.sample, split), steering,
                   alphas));
  return SwapsToJson(table, chosen, steering.mode, subject.set().relations);
}

// "dictionary" and "written" of test wordings, which need residuals alone.
absl::Status AddResidualFigures(EvalSubject& subject, int checkpoint,
                                const EvalOptions& options, Json& figures) {
  const Sae& sae = subject.saes()[checkpoint];
  const HookPoint& hook = sae.config().hook;
  const std::vector<int> people = SamplePeople(subject.set(), options.sample);
  ALIGNSAE_ASSIGN_OR_RETURN(
      const QuestionResiduals test,
      CollectQuestions(subject.model(), subject.tokenizer(), subject.set(),
                       people, Split::kTest, {hook}));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const QuestionResiduals train,
      CollectQuestions(subject.model(), subject.tokenizer(), subject.set(),
                       people, Split::kSaeTrain, {hook}));
  ALIGNSAE_ASSIGN_OR_RETURN(const Certified certified,
                            CertifyResiduals(sae, test));
  figures["written"] =
      WrittenToJson(certified.certificates, subject.set().relations);
  ALIGNSAE_ASSIGN_OR_RETURN(
      figures["dictionary"], WithTorchFence([&]() -> absl::StatusOr<Json> {
        return DictionaryToJson(
            MeasureDictionary(sae, test.by_hook.at(hook), test.labels,
                              train.by_hook.at(hook)),
            subject.set().relations);
      }));
  return absl::OkStatus();
}

// "chosen", "test", and the held-out splits that the set has, into
// `evaluation`.
absl::Status AddFigures(EvalSubject& subject, const SteeringChoice& choice,
                        const EvalOptions& options, const EvalReporter& report,
                        Json& evaluation) {
  evaluation["chosen"] = {
      {"checkpoint", choice.checkpoint},
      {"hook", subject.saes()[choice.checkpoint].config().hook.ToString()},
      {"mode", InterventionModeName(choice.mode)},
      {"alpha", choice.alpha}};
  const Steering steering = SteeringOf(subject, choice.checkpoint, choice.mode);
  for (Split split : kSplits) {
    const bool told =
        split == Split::kTest || absl::c_linear_search(kHeldOutSplits, split);
    if (!told || !HasWordings(subject.set(), split)) continue;
    Json& figures = evaluation[std::string(SplitName(split))];
    ALIGNSAE_ASSIGN_OR_RETURN(
        figures["binding"],
        BindingFigures(subject, split, choice.checkpoint, options));
    ALIGNSAE_ASSIGN_OR_RETURN(
        figures["swap"],
        SwapFigures(subject, split, steering, choice.alpha, options, report));
  }
  return AddResidualFigures(subject, choice.checkpoint, options,
                            evaluation["test"]);
}

absl::Status CheckSubject(const EvalSubject& subject,
                          const EvalOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(options));
  if (subject.saes().empty()) {
    return absl::FailedPreconditionError(
        "checkpoints: must be at least one, got none");
  }
  for (const Sae& sae : subject.saes()) {
    ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(sae, subject.set()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> Evaluate(EvalSubject& subject, const EvalOptions& options,
                              const EvalReporter& report) {
  ALIGNSAE_RETURN_IF_ERROR(CheckSubject(subject, options));
  Json language_model;
  for (Split split : kSplits) {
    if (!HasWordings(subject.set(), split)) continue;
    ALIGNSAE_ASSIGN_OR_RETURN(language_model[std::string(SplitName(split))],
                              Answers(subject, split, options, report));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(Json evaluation,
                            EvaluateCheckpoints(subject, options, report));
  evaluation["protocol"] = ProtocolToJson(subject.set(), options);
  evaluation["language_model"] = std::move(language_model);
  return evaluation;
}

absl::StatusOr<Json> EvaluateCheckpoints(EvalSubject& subject,
                                         const EvalOptions& options,
                                         const EvalReporter& report) {
  ALIGNSAE_RETURN_IF_ERROR(CheckSubject(subject, options));
  Json evaluation;
  Json& selection = evaluation["selection"];
  ALIGNSAE_ASSIGN_OR_RETURN(
      const Candidate best,
      SelectSteering(subject, options, report, selection));
  for (size_t c = 0; c < subject.saes().size(); ++c) {
    ALIGNSAE_ASSIGN_OR_RETURN(const Json binding,
                              BindingFigures(subject, Split::kValidation,
                                             static_cast<int>(c), options));
    selection["layers"][c]["diagonal_accuracy"] = binding["diagonal_accuracy"];
  }
  ALIGNSAE_RETURN_IF_ERROR(AddFigures(
      subject, {best.steering.checkpoint, best.steering.mode, best.alpha},
      options, report, evaluation));
  return evaluation;
}

absl::StatusOr<Json> EvaluateChoice(EvalSubject& subject,
                                    const SteeringChoice& choice,
                                    const EvalOptions& options,
                                    const EvalReporter& report) {
  ALIGNSAE_RETURN_IF_ERROR(CheckSubject(subject, options));
  const int checkpoints = static_cast<int>(subject.saes().size());
  if (choice.checkpoint < 0 || choice.checkpoint >= checkpoints) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: must be in [0, ", checkpoints - 1, "], got ",
                     choice.checkpoint));
  }
  Json evaluation;
  evaluation["protocol"] = ProtocolToJson(subject.set(), options);
  ALIGNSAE_ASSIGN_OR_RETURN(evaluation["language_model"]["test"],
                            Answers(subject, Split::kTest, options, report));
  ALIGNSAE_RETURN_IF_ERROR(
      AddFigures(subject, choice, options, report, evaluation));
  return evaluation;
}

absl::StatusOr<SteeringChoice> ChoiceOf(const Json& evaluation) {
  const auto chosen = evaluation.find("chosen");
  if (chosen == evaluation.end() || !chosen->contains("checkpoint") ||
      !(*chosen)["checkpoint"].is_number_integer() ||
      !chosen->contains("alpha") || !(*chosen)["alpha"].is_number() ||
      !chosen->contains("mode") || !(*chosen)["mode"].is_string()) {
    return absl::InvalidArgumentError(
        "evaluation.chosen: must have checkpoint, mode and alpha");
  }
  SteeringChoice choice;
  choice.checkpoint = (*chosen)["checkpoint"].get<int>();
  choice.alpha = (*chosen)["alpha"].get<double>();
  ALIGNSAE_ASSIGN_OR_RETURN(
      choice.mode, ParseInterventionMode((*chosen)["mode"].get<std::string>()));
  return choice;
}

absl::StatusOr<Json> EvaluateVariant(EvalSubject& subject,
                                     const std::vector<Steering>& steerings,
                                     bool binding, const EvalOptions& options,
                                     const EvalReporter& report) {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(options));
  Json figures;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const Candidate best,
      BestSteering(subject, steerings, kModeMargin, options, report,
                   figures["selection"]));
  ALIGNSAE_ASSIGN_OR_RETURN(figures["swap"],
                            SwapFigures(subject, Split::kTest, best.steering,
                                        best.alpha, options, report));
  if (binding) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        figures["binding"],
        BindingFigures(subject, Split::kTest, /*checkpoint=*/0, options));
  }
  return figures;
}

}  // namespace alignsae
