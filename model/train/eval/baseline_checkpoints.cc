#include "model/train/eval/baseline_checkpoints.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/train/sae/simple_checkpoints.h"

namespace alignsae {
namespace {

constexpr char kMeansName[] = "class_means";
constexpr char kProbeName[] = "linear_probe";
constexpr char kSeparatingName[] = "separating_feature";
constexpr char kOutputName[] = "output_feature";

// How often SET of each concept's feature makes its answer begin right; all 0
// where the engine refuses one of the features.
absl::StatusOr<std::vector<double>> EffectOf(EvalSubject& subject,
                                             int checkpoint,
                                             const EvalOptions& options) {
  const absl::StatusOr<SwapTable> table = MeasureSwaps(
      ContextOf(subject, options, nullptr, ""),
      PromptsOf(subject, options.select_sample, Split::kValidation),
      SteeringOf(subject, checkpoint, InterventionMode::kSet), {1});
  std::vector<double> effect(subject.set().relations.size(), 0);
  if (absl::IsFailedPrecondition(table.status()) ||
      absl::IsInvalidArgument(table.status())) {
    return effect;  // Such as a feature that is silent: it does nothing.
  }
  ALIGNSAE_RETURN_IF_ERROR(table.status());
  for (size_t r = 0; r < effect.size(); ++r) {
    const SuccessCounts counts = table->Target(0, static_cast<int>(r)).all();
    effect[r] = counts.Rate(counts.first);
  }
  return effect;
}

absl::StatusOr<Sae> ByEffect(const EvalInputs& people, const SaeInputs& inputs,
                             const Sae& plain, const EvalOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::vector<int>> candidates,
                            TellingFeatures(inputs, plain, kCandidates));
  std::vector<Sae> saes;
  for (const std::vector<int>& features : candidates) {
    ALIGNSAE_ASSIGN_OR_RETURN(Sae sae, WithConceptsAt(inputs, plain, features));
    saes.push_back(std::move(sae));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create(people, std::move(saes), options.rows));
  std::vector<int> best = candidates.front();
  std::vector<double> most(best.size(), 0);
  for (int round = 0; round < kCandidates; ++round) {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<double> effect,
                              EffectOf(*subject, round, options));
    for (size_t r = 0; r < best.size(); ++r) {
      if (effect[r] <= most[r]) continue;
      most[r] = effect[r];
      best[r] = candidates[round][r];
    }
  }
  return WithConceptsAt(inputs, plain, best);
}

}  // namespace

std::vector<std::string> BaselineCheckpointNames() {
  return {kMeansName, kProbeName, kSeparatingName, kOutputName};
}

absl::StatusOr<Sae> MakeBaselineCheckpoint(absl::string_view name,
                                           const EvalInputs& people,
                                           const SaeInputs& inputs,
                                           const BaselineCheckpointPlan& plan) {
  if (name == kMeansName) return ClassMeanCheckpoint(inputs, plan.sae.hook);
  if (name == kProbeName) return LinearProbeCheckpoint(inputs, plan.sae.hook);
  if (name != kSeparatingName && name != kOutputName) {
    return absl::InvalidArgumentError(
        absl::StrCat("baseline: must be one of ",
                     absl::StrJoin(BaselineCheckpointNames(), ", "), ", got ",
                     Quoted(std::string(name))));
  }
  if (name == kOutputName && people.set == nullptr) {
    return absl::InvalidArgumentError(
        "output_feature: must have --data, whose people say what is right, got "
        "none");
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const Sae plain, PlainSae(inputs, plan.sae));
  if (name == kOutputName) return ByEffect(people, inputs, plain, plan.eval);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::vector<int>> features,
                            TellingFeatures(inputs, plain, 1));
  return WithConceptsAt(inputs, plain, features.front());
}

}  // namespace alignsae
