#include "model/train/eval/baselines.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/train/sae/class_means.h"
#include "model/train/sae/losses.h"
#include "model/train/sae/separation.h"

namespace alignsae {
namespace {

constexpr char kClassMeans[] = "class_means";
constexpr char kWithoutPerp[] = "without_perp";
constexpr char kWithoutVal[] = "without_val";
constexpr char kWithoutStage1[] = "without_stage1";
constexpr char kStage1Features[] = "stage1_features";

// Feature of the ordered pair (i, j), i != j: row-major without the diagonal.
int PairFeature(int relations, int i, int j) {
  return i * (relations - 1) + (j < i ? j : j - 1);
}

SaeOptions OptionsOf(absl::string_view name, SaeOptions options) {
  if (name == kWithoutPerp) options.perp = 0;
  if (name == kWithoutVal) options.val = 0;
  if (name == kWithoutStage1) options.stage1_epochs = 0;
  if (name == kStage1Features) {
    options.stage1_epochs += options.stage2_epochs;
    options.stage2_epochs = 0;
  }
  return options;
}

// One steering for each mode that the recipe itself was free to choose from.
absl::StatusOr<std::vector<Steering>> SlotSteerings(
    const Sae& sae, const EvalOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<InterventionMode> modes,
                            ParseModes(options.modes));
  std::vector<int> slots;
  for (const Concept& entry : sae.config().concepts) {
    slots.push_back(entry.slot);
  }
  std::vector<Steering> steerings;
  for (InterventionMode mode : modes) {
    steerings.push_back(SlotSteering(/*checkpoint=*/0, mode, slots));
  }
  return steerings;
}

// Trains the variant `name` of the recipe.
absl::StatusOr<Sae> MakeVariant(absl::string_view name, const SaeInputs& inputs,
                                SaePlan plan) {
  plan.options = OptionsOf(name, plan.options);
  ALIGNSAE_ASSIGN_OR_RETURN(Sae sae, MakeSae(inputs, plan));
  if (name != kStage1Features) return sae;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<int> slots,
                            BestFreeFeatures(inputs, sae));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const SaeConfig config,
      CalibratedConfig(inputs, sae.config(), sae.weights(), slots));
  return Sae::FromWeights(config, sae.weights());
}

}  // namespace

std::vector<std::string> BaselineNames() {
  return {kClassMeans, kWithoutPerp, kWithoutVal, kWithoutStage1,
          kStage1Features};
}

absl::StatusOr<Sae> ClassMeanSae(const SaeInputs& inputs, HookPoint hook) {
  const int relations = static_cast<int>(inputs.relations.size());
  SaeConfig config;
  SaeWeights weights;
  const absl::Status status = WithTorchFence([&]() -> absl::Status {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const at::Tensor means,  // [R, D]
        ClassMeans(inputs.train.by_hook.at(hook),
                   OneHot(inputs.train.labels, relations)));
    config.d_model = static_cast<int>(means.size(1));
    config.n_features = relations * (relations - 1);
    std::vector<at::Tensor> directions;
    for (int i = 0; i < relations; ++i) {
      for (int j = 0; j < relations; ++j) {
        if (i == j) continue;
        Concept entry;
        entry.name =
            absl::StrCat(inputs.relations[i], " -> ", inputs.relations[j]);
        entry.slot = PairFeature(relations, i, j);
        config.concepts.push_back(std::move(entry));
        directions.push_back(means[j] - means[i]);
      }
    }
    weights.w_dec = at::stack(directions).to(at::kFloat);
    weights.w_enc = at::zeros({config.d_model, config.n_features});
    weights.b_enc = at::zeros({config.n_features});
    weights.b_dec = at::zeros({config.d_model});
    return absl::OkStatus();
  });
  ALIGNSAE_RETURN_IF_ERROR(status);
  config.hook = hook;
  config.activation = SaeActivation::kIdentity;
  return Sae::FromWeights(config, weights);
}

Steering ClassMeanSteering(int relations) {
  Steering steering;
  steering.mode = InterventionMode::kAdd;
  steering.slots.assign(relations, std::vector<Steering::Slots>(relations));
  for (int i = 0; i < relations; ++i) {
    for (int j = 0; j < relations; ++j) {
      if (i != j) steering.slots[i][j].target = PairFeature(relations, i, j);
    }
  }
  return steering;
}

absl::StatusOr<std::vector<int>> BestFreeFeatures(const SaeInputs& inputs,
                                                  const Sae& sae) {
  const int concepts = sae.concept_count();
  const int free_features = sae.config().n_features - concepts;
  if (free_features < concepts) {
    return absl::InvalidArgumentError(absl::StrCat(
        "free_features: must be at least ", concepts, ", got ", free_features));
  }
  return WithTorchFence([&]() -> absl::StatusOr<std::vector<int>> {
    at::NoGradGuard no_grad;
    const at::Tensor z = sae.Encode(inputs.train.by_hook.at(sae.config().hook))
                             .narrow(1, concepts, free_features);  // [N, K]
    FeatureSeparation separation;
    separation.Add(z, OneHot(inputs.train.labels, concepts));
    std::vector<int> slots = BestDistinctFeatures(separation.Scores());
    for (int& slot : slots) slot += concepts;
    return slots;
  });
}

absl::StatusOr<nlohmann::json> MeasureBaseline(absl::string_view name,
                                               const EvalInputs& eval_inputs,
                                               const SaeInputs& sae_inputs,
                                               const BaselinePlan& plan) {
  const std::vector<std::string> names = BaselineNames();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    return absl::InvalidArgumentError(absl::StrCat("baseline: must be one of ",
                                                   absl::StrJoin(names, ", "),
                                                   ", got ", name));
  }
  const bool is_means = name == kClassMeans;
  ALIGNSAE_ASSIGN_OR_RETURN(Sae sae,
                            is_means ? ClassMeanSae(sae_inputs, plan.sae.hook)
                                     : MakeVariant(name, sae_inputs, plan.sae));
  std::vector<Steering> steerings;
  if (is_means) {
    steerings.push_back(
        ClassMeanSteering(static_cast<int>(sae_inputs.relations.size())));
  } else {
    ALIGNSAE_ASSIGN_OR_RETURN(steerings, SlotSteerings(sae, plan.eval));
  }
  std::vector<Sae> saes;
  saes.push_back(std::move(sae));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create(eval_inputs, std::move(saes), plan.eval.rows));
  return EvaluateVariant(*subject, steerings, /*binding=*/!is_means, plan.eval,
                         plan.report);
}

}  // namespace alignsae
