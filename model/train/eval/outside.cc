#include "model/train/eval/outside.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/train/data/prompt_tokens.h"
#include "model/train/eval/share.h"
#include "model/train/sae/class_means.h"
#include "model/train/sae/data.h"
#include "model/train/sae/losses.h"
#include "model/train/sae/span_mean.h"

namespace alignsae {
namespace {

// People of a negative with {name}: few shape the background, as no kind should
// outweigh the others; the figures are on more.
constexpr int kNamesToFit = 4;
constexpr int kNamesToMeasure = 20;

// The shape of `x` [N, D], whose rows are differences from their means.
LowRankNormal ShapeOf(const at::Tensor& means, const at::Tensor& x, int rank) {
  const int64_t width = x.size(1);
  const at::Tensor covariance =
      at::matmul(x.t(), x).div(static_cast<double>(x.size(0)));  // [D, D]
  const auto [values, vectors] = at::linalg_eigh(covariance);    // Rising.
  const int64_t kept =
      std::min<int64_t>({rank, width - 1, x.size(0) / kRowsOfDirection});
  const at::Tensor rest = values.narrow(0, 0, width - kept);
  const double variance = std::max(rest.mean().item<double>(), 1e-12);
  const at::Tensor largest =  // [k]
      values.narrow(0, width - kept, kept).clamp_min(variance);
  const at::Tensor weights = largest.reciprocal().mul(-variance).add(1).sqrt();
  const at::Tensor directions =
      vectors.narrow(1, width - kept, kept).t() * weights.unsqueeze(1);
  return {means, directions, std::sqrt(variance)};
}

// Rows of `values` where `chosen` [N] is true.
at::Tensor Rows(const at::Tensor& values, const at::Tensor& chosen) {
  return values.index_select(0, chosen.nonzero().squeeze(1));
}

// Each prompt counts once for each concept that it asks.
LowRankNormal FitKnown(const AskedResiduals& train, const at::Tensor& means) {
  std::vector<at::Tensor> differences;
  for (int64_t r = 0; r < means.size(0); ++r) {
    differences.push_back(
        Rows(train.h, train.has_concept.select(1, r)).to(at::kDouble) -
        means[r]);
  }
  return ShapeOf(means, at::cat(differences), kKnownRank);
}

LowRankNormal FitBackground(const at::Tensor& background) {
  const at::Tensor h = background.to(at::kDouble);
  const at::Tensor mean = h.mean(0, /*keepdim=*/true);
  return ShapeOf(mean, h - mean, kBackgroundRank);
}

// What both gates make of prompts, [prompts] bool each.
struct Verdicts {
  at::Tensor negative;  // Asks no concept.
  at::Tensor right;     // On top is a concept that it asks.
  at::Tensor silent;    // Not bound, or outside.
};

Verdicts Judge(const Sae& sae, const AskedResiduals& asked) {
  at::NoGradGuard no_grad;
  const at::Tensor h = asked.h.to(sae.concept_decoder().device());
  const at::Tensor rows = sae.ConceptPre(h);
  const auto mean = [&asked](const at::Tensor& of) {
    return MeanOfPrompts(of, asked.prompts);
  };
  // The highest of the probabilities, which one row has where `pre` is highest.
  const at::Tensor top = mean(asked.prompts.defined() ? rows.softmax(1) : rows)
                             .argmax(1, /*keepdim=*/true);  // [prompts, 1]
  std::vector<double> limits;
  for (const Concept& entry : sae.config().concepts) {
    limits.push_back(entry.threshold);
  }
  const at::Tensor thresholds = at::tensor(limits, at::kFloat)
                                    .to(h.device())
                                    .index_select(0, top.squeeze(1));
  const at::Tensor value =
      mean(sae.ConceptActivate(rows)).gather(1, top).squeeze(1);
  const at::Tensor bound = value.gt(0).logical_and(value.ge(thresholds));
  at::Tensor silent = bound.logical_not();
  if (sae.gate()) silent = silent.logical_or(mean(sae.gate()->Ratio(h)).gt(1));
  const at::Tensor on_top = top.to(at::kCPU);
  const at::Tensor has = AnyOfPrompts(asked.has_concept, asked.prompts);
  return {.negative = has.any(1).logical_not(),
          .right = has.gather(1, on_top).squeeze(1),
          .silent = silent.to(at::kCPU)};
}

void PutShare(const char* name, const at::Tensor& of, const at::Tensor& among,
              nlohmann::ordered_json& figures) {
  const double n = among.sum().item<double>();
  if (n == 0) return;
  figures[name] = ShareToJson(of.logical_and(among).sum().item<double>(), n);
}

AskedResiduals Together(const AskedResiduals& asked,
                        const at::Tensor& negatives) {
  return {at::cat({asked.h, negatives}),
          at::cat({asked.has_concept,
                   at::zeros({negatives.size(0), asked.has_concept.size(1)},
                             at::TensorOptions(at::kBool))}),
          at::Tensor()};
}

AskedResiduals AskedOf(const QuestionResiduals& questions, const Sae& sae) {
  return {
      questions.by_hook.at(sae.config().hook).to(at::kCPU),
      HasConcept(questions.has_concept, questions.labels, sae.concept_count())
          .to(at::kCPU),
      questions.prompts};
}

absl::StatusOr<AskedResiduals> QuestionsOf(const EvalInputs& inputs,
                                           const Sae& sae, Split split) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const QuestionResiduals questions,
      CollectQuestions(*inputs.model, *inputs.tokenizer, *inputs.set,
                       SamplePeople(*inputs.set, /*per_half=*/0), split,
                       {sae.config().hook}));
  return AskedOf(questions, sae);
}

absl::StatusOr<at::Tensor> ResidualsOf(const EvalInputs& inputs, const Sae& sae,
                                       const NegativePrompts& negatives) {
  const HookPoint& hook = sae.config().hook;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const ResidualsByHook collected,
      CollectResiduals(*inputs.model, negatives.prompts, {hook}));
  return collected.at(hook).to(at::kCPU);
}

nlohmann::ordered_json ByKind(const Sae& sae, const NegativePrompts& negatives,
                              const at::Tensor& h) {
  const AskedResiduals asked = {
      h,
      at::zeros({h.size(0), sae.concept_count()}, at::TensorOptions(at::kBool)),
      at::Tensor()};
  const at::Tensor silent = Judge(sae, asked).silent.contiguous();
  std::map<std::string, std::pair<double, double>> counts;  // Silent, all.
  for (size_t i = 0; i < negatives.kinds.size(); ++i) {
    auto& [quiet, all] = counts[negatives.kinds[i]];
    quiet += silent.data_ptr<bool>()[i] ? 1 : 0;
    ++all;
  }
  nlohmann::ordered_json by_kind = nlohmann::ordered_json::object();
  for (const auto& [kind, count] : counts) {
    by_kind[kind] = ShareToJson(count.first, count.second);
  }
  return by_kind;
}

absl::Status CheckEnough(int64_t negatives) {
  if (negatives >= kLeastNegatives) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "negatives: must be at least ", kLeastNegatives, ", got ", negatives));
}

}  // namespace

absl::StatusOr<OutsideGate> FitGate(const AskedResiduals& train,
                                    const at::Tensor& background,
                                    const AskedResiduals& validation) {
  ALIGNSAE_RETURN_IF_ERROR(CheckEnough(background.size(0)));
  return WithTorchFence([&]() -> absl::StatusOr<OutsideGate> {
    at::NoGradGuard no_grad;
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor means,
                              ClassMeans(train.h, train.has_concept));
    const LowRankNormal known = FitKnown(train, means);
    const LowRankNormal other = FitBackground(background);
    ALIGNSAE_ASSIGN_OR_RETURN(const OutsideGate unlimited,
                              OutsideGate::Make(known, other, /*limit=*/1));
    const at::Tensor asks =
        AnyOfPrompts(validation.has_concept.any(1), validation.prompts);
    if (!asks.any().item<bool>()) {
      return absl::InvalidArgumentError(
          "validation: must have a prompt of a concept, got none");
    }
    const at::Tensor ratios =
        MeanOfPrompts(unlimited.Ratio(validation.h), validation.prompts);
    const double limit =
        Rows(ratios, asks).quantile(1 - kSilentInValidation).item<double>();
    return OutsideGate::Make(known, other, limit);
  });
}

nlohmann::ordered_json MeasureGate(const Sae& sae, const AskedResiduals& test) {
  const Verdicts verdicts = Judge(sae, test);
  const at::Tensor asks = verdicts.negative.logical_not();
  nlohmann::ordered_json figures = nlohmann::ordered_json::object();
  PutShare("abstention", verdicts.silent, verdicts.negative, figures);
  PutShare("silent_right", verdicts.silent, asks.logical_and(verdicts.right),
           figures);
  PutShare("bound_wrong",
           verdicts.silent.logical_or(verdicts.right).logical_not(), asks,
           figures);
  return figures;
}

absl::StatusOr<GatedCheckpoint> GateOnPeople(
    const EvalInputs& inputs, const Sae& sae,
    const std::vector<Negative>& negatives) {
  ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(sae, *inputs.set));
  const auto asked = [&](Split split, int names) {
    return MakeNegatives(negatives, *inputs.set, *inputs.tokenizer, split,
                         names);
  };
  ALIGNSAE_ASSIGN_OR_RETURN(const AskedResiduals train,
                            QuestionsOf(inputs, sae, Split::kSaeTrain));
  ALIGNSAE_ASSIGN_OR_RETURN(const AskedResiduals validation,
                            QuestionsOf(inputs, sae, Split::kValidation));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const at::Tensor background,
      ResidualsOf(inputs, sae, asked(Split::kValidation, kNamesToFit)));
  GatedCheckpoint gated;
  ALIGNSAE_ASSIGN_OR_RETURN(gated.gate, FitGate(train, background, validation));
  Sae with_gate = sae;
  with_gate.set_gate(*gated.gate);

  const NegativePrompts measured = asked(Split::kTest, kNamesToMeasure);
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor none,
                            ResidualsOf(inputs, sae, measured));
  ALIGNSAE_ASSIGN_OR_RETURN(const AskedResiduals test,
                            QuestionsOf(inputs, sae, Split::kTest));
  ALIGNSAE_RETURN_IF_ERROR(WithTorchFence([&] {
    gated.figures = MeasureGate(with_gate, Together(test, none));
    gated.figures["abstention_by_kind"] = ByKind(with_gate, measured, none);
  }));
  if (!HasWordings(*inputs.set, Split::kUnseen)) return gated;
  ALIGNSAE_ASSIGN_OR_RETURN(const AskedResiduals unseen,
                            QuestionsOf(inputs, sae, Split::kUnseen));
  ALIGNSAE_RETURN_IF_ERROR(WithTorchFence(
      [&] { gated.figures["unseen"] = MeasureGate(with_gate, unseen); }));
  return gated;
}

absl::StatusOr<GatedCheckpoint> GateOnPrompts(const EvalInputs& inputs,
                                              const Sae& sae,
                                              const PromptSet& set) {
  ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(sae, set));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<PositionedPrompt> located,
      TokenizePrompts(set, *inputs.tokenizer,
                      inputs.model->facts().context_length,
                      inputs.model->facts().vocab_size,
                      FirstToken(sae.config(), *inputs.tokenizer)));
  std::map<Split, AskedResiduals> by_split;
  for (Split split : {Split::kSaeTrain, Split::kValidation, Split::kTest}) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const QuestionResiduals questions,
        CollectPrompts(*inputs.model, *inputs.tokenizer, set, located, split,
                       {sae.config().hook}, sae.config().trained));
    by_split[split] = AskedOf(questions, sae);
  }
  std::vector<at::Tensor> none;
  for (Split split : {Split::kSaeTrain, Split::kValidation}) {
    const AskedResiduals& asked = by_split[split];
    none.push_back(Rows(asked.h, asked.has_concept.any(1).logical_not()));
  }
  const at::Tensor background = at::cat(none);
  GatedCheckpoint gated;
  if (background.size(0) < kLeastNegatives) return gated;
  ALIGNSAE_ASSIGN_OR_RETURN(gated.gate,
                            FitGate(by_split[Split::kSaeTrain], background,
                                    by_split[Split::kValidation]));
  Sae with_gate = sae;
  with_gate.set_gate(*gated.gate);
  ALIGNSAE_RETURN_IF_ERROR(WithTorchFence(
      [&] { gated.figures = MeasureGate(with_gate, by_split[Split::kTest]); }));
  return gated;
}

std::string RenderGate(const nlohmann::ordered_json& figures) {
  std::string text;
  const auto line = [&](const nlohmann::ordered_json& from, const char* key,
                        const char* what) {
    if (!from.contains(key)) return;
    absl::StrAppendFormat(&text, "  %-52s %s of %d\n", what,
                          ShareText(from.at(key)),
                          from.at(key).at("n").get<int64_t>());
  };
  line(figures, "abstention", "asks no concept: not bound, or outside");
  line(figures, "silent_right", "test wording, read right, but silent");
  line(figures, "bound_wrong", "test wording, read wrong and not silent");
  if (figures.contains("unseen")) {
    line(figures["unseen"], "silent_right",
         "wording new to the model, read right, but silent");
    line(figures["unseen"], "bound_wrong",
         "wording new to the model, read wrong, not silent");
  }
  if (!figures.contains("abstention_by_kind")) return text;
  for (const auto& [kind, share] : figures["abstention_by_kind"].items()) {
    absl::StrAppendFormat(&text, "    %-50s %s of %d\n", kind, ShareText(share),
                          share.at("n").get<int64_t>());
  }
  return text;
}

}  // namespace alignsae
