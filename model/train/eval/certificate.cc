#include "model/train/eval/certificate.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/base/status_macros.h"
#include "model/bundle/measured_swaps.h"
#include "model/sae/written.h"
#include "model/tensor/torch_fence.h"
#include "model/train/data/prompt_tokens.h"
#include "model/train/eval/stored_prompts.h"
#include "model/train/sae/class_means.h"
#include "model/train/sae/losses.h"

namespace alignsae {
namespace {

// People of each half that the evaluation asked about; 0: all.
int SampleOf(const nlohmann::json& evaluation) {
  const nlohmann::json::json_pointer path("/protocol/options/sample");
  return evaluation.contains(path) && evaluation.at(path).is_number_integer()
             ? evaluation.at(path).get<int>()
             : 0;
}

// Test wordings of all relations but `target`.
int WordingsOfOthers(const EvalSet& set, int target) {
  int wordings = 0;
  for (const EvalWording& wording : set.wordings) {
    wordings += wording.split == Split::kTest && wording.relation != target;
  }
  return wordings;
}

// Groups of the test prompts that were swapped to `target`.
int GroupsSwappedTo(const PromptSet& set, int target) {
  std::set<std::string> groups;
  for (const LabelledPrompt& prompt : set.prompts) {
    if (prompt.split != Split::kTest || prompt.concepts.size() != 1 ||
        prompt.targets.count(target) == 0) {
      continue;
    }
    groups.insert(prompt.group.empty() ? absl::StrCat("line ", prompt.line)
                                       : prompt.group);
  }
  return static_cast<int>(groups.size());
}

}  // namespace

absl::StatusOr<Certified> CertifyResiduals(const Sae& sae,
                                           const QuestionResiduals& questions) {
  Certified certified;
  ALIGNSAE_ASSIGN_OR_RETURN(
      certified.class_means,
      WithTorchFence([&]() -> absl::StatusOr<at::Tensor> {
        ALIGNSAE_ASSIGN_OR_RETURN(
            const at::Tensor means,
            ClassMeans(questions.by_hook.at(sae.config().hook),
                       HasConcept(questions.has_concept, questions.labels,
                                  sae.concept_count())));
        return means.to(at::kFloat);
      }));
  ALIGNSAE_ASSIGN_OR_RETURN(certified.certificates,
                            MeasureWritten(sae, certified.class_means));
  return certified;
}

absl::StatusOr<Certified> CertifyOnPeople(
    const EvalInputs& inputs, const Sae& sae, const nlohmann::json& evaluation,
    const std::vector<Negative>& negatives) {
  const EvalSet& set = *inputs.set;
  ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(sae, set));
  const std::vector<int> people = SamplePeople(set, SampleOf(evaluation));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const QuestionResiduals test,
      CollectQuestions(*inputs.model, *inputs.tokenizer, set, people,
                       Split::kTest, {sae.config().hook}));
  ALIGNSAE_ASSIGN_OR_RETURN(Certified certified, CertifyResiduals(sae, test));
  const auto swaps = SwapsOfEvaluation(evaluation);
  for (int r = 0; r < set.relation_count(); ++r) {
    const auto it = swaps.find(set.relations[r]);
    const int wordings = WordingsOfOthers(set, r);
    if (it == swaps.end() || wordings == 0) continue;
    certified.certificates[r].measured_swap =
        MeasuredSwapOf(it->second.successes, it->second.n, wordings,
                       static_cast<int>(people.size()));
  }
  certified.validation = StoredPromptsOf(set, negatives);
  if (negatives.empty()) return certified;
  ALIGNSAE_ASSIGN_OR_RETURN(certified.gated,
                            GateOnPeople(inputs, sae, negatives));
  return certified;
}

absl::StatusOr<Certified> CertifyOnPrompts(const EvalInputs& inputs,
                                           const Sae& sae, const PromptSet& set,
                                           const nlohmann::json& evaluation) {
  ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(sae, set));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<PositionedPrompt> located,
      TokenizePrompts(set, *inputs.tokenizer,
                      inputs.model->facts().context_length,
                      inputs.model->facts().vocab_size));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const QuestionResiduals test,
      CollectPrompts(*inputs.model, *inputs.tokenizer, set, located,
                     Split::kTest, {sae.config().hook}, sae.config().trained));
  ALIGNSAE_ASSIGN_OR_RETURN(Certified certified, CertifyResiduals(sae, test));
  const auto swaps = SwapsOfEvaluation(evaluation);
  for (size_t r = 0; r < set.concepts.size(); ++r) {
    const auto it = swaps.find(set.concepts[r]);
    const int groups = GroupsSwappedTo(set, static_cast<int>(r));
    if (it == swaps.end() || groups == 0) continue;
    certified.certificates[r].measured_swap = MeasuredSwapOf(
        it->second.successes, it->second.n, groups, /*people=*/std::nullopt);
  }
  certified.validation = StoredPromptsOf(set);
  ALIGNSAE_ASSIGN_OR_RETURN(certified.gated, GateOnPrompts(inputs, sae, set));
  return certified;
}

std::string RenderCertificates(absl::Span<const Concept> concepts) {
  std::string text =
      absl::StrFormat("%-20s %7s %8s %6s  %-28s %8s %6s\n", "concept", "cosine",
                      "written", "alpha", "swap to it", "wordings", "people");
  for (const Concept& entry : concepts) {
    if (!entry.certificate) {
      absl::StrAppendFormat(&text, "%-20s %7s\n", entry.name, "-");
      continue;
    }
    const std::optional<double> alpha = entry.certificate->predicted_alpha();
    absl::StrAppendFormat(&text, "%-20s %7.3f %8.3f %6s", entry.name,
                          entry.certificate->cosine,
                          entry.certificate->written_share,
                          alpha ? absl::StrFormat("%.3g", *alpha) : "-");
    if (const auto& swap = entry.certificate->measured_swap; swap) {
      absl::StrAppendFormat(
          &text, "  %-28s %8d %6s",
          absl::StrFormat("%.3f [%.3f, %.3f] of %d", swap->rate, swap->low,
                          swap->high, swap->n),
          swap->wordings, swap->people ? absl::StrCat(*swap->people) : "-");
    } else {
      text += "  not measured";
    }
    text += '\n';
  }
  return text;
}

}  // namespace alignsae
