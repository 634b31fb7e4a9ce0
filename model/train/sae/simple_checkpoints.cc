#include "model/train/sae/simple_checkpoints.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/train/common/optimizer.h"
#include "model/train/sae/class_means.h"
#include "model/train/sae/losses.h"
#include "model/train/sae/separation.h"

namespace alignsae {
namespace {

// Of the probe: whole batches, until the loss hardly moves.
constexpr int kProbeSteps = 400;
constexpr double kProbeRate = 0.05;
constexpr double kProbeDecay = 0.01;
// Encoded at once: [kEncodedRows, F] floats are 400 MB at F = 100,000.
constexpr int64_t kEncodedRows = 1024;

// A configuration without concepts.
SaeConfig BareConfig(const SaeInputs& inputs, HookPoint hook, int features) {
  SaeConfig config;
  const at::Tensor& h = inputs.train.by_hook.at(hook);
  config.d_model = static_cast<int>(h.size(1));
  config.n_features = features;
  config.hook = hook;
  config.trained = inputs.positions;
  return config;
}

at::Tensor OwnersOf(const SaeInputs& inputs) {  // [N, R] bool
  return HasConcept(inputs.train.has_concept, inputs.train.labels,
                    static_cast<int64_t>(inputs.relations.size()));
}

// Concept r at slot r, calibrated.
absl::StatusOr<Sae> SlotsOnly(const SaeInputs& inputs, SaeConfig config,
                              const SaeWeights& weights) {
  std::vector<int> slots(inputs.relations.size());
  std::iota(slots.begin(), slots.end(), 0);
  ALIGNSAE_ASSIGN_OR_RETURN(
      config, CalibratedConfig(inputs, std::move(config), weights, slots));
  return Sae::FromWeights(config, weights);
}

// x [N, D] -> weights [D, R] and biases [R] of the logits, less their means
// over the concepts, which the softmax does not see.
std::pair<at::Tensor, at::Tensor> TrainProbe(const at::Tensor& x,
                                             const SaeDataset& data) {
  const at::TensorOptions options = x.options();
  at::Tensor weights =
      at::zeros({x.size(1), data.concepts}, options).requires_grad_(true);
  at::Tensor biases = at::zeros({data.concepts}, options).requires_grad_(true);
  AdamW adam({{"weights", weights, /*decay=*/true},
              {"biases", biases, /*decay=*/false}},
             {.weight_decay = kProbeDecay});
  const AlignTargets targets(
      HasConcept(data.has_concept, data.labels, data.concepts), data.facets);
  const at::Tensor rows = at::arange(x.size(0), data.labels.options());
  for (int step = 0; step < kProbeSteps; ++step) {
    AlignLoss(at::addmm(biases, x, weights), targets, rows,
              AlignForm::kCrossEntropy)
        .backward();
    adam.Step(kProbeRate);
  }
  at::NoGradGuard no_grad;
  return {weights - weights.mean(1, /*keepdim=*/true), biases - biases.mean()};
}

}  // namespace

absl::StatusOr<Sae> ClassMeanCheckpoint(const SaeInputs& inputs,
                                        HookPoint hook) {
  const int concepts = static_cast<int>(inputs.relations.size());
  SaeConfig config = BareConfig(inputs, hook, concepts);
  SaeWeights weights;
  const absl::Status status = WithTorchFence([&]() -> absl::Status {
    const at::Tensor& h = inputs.train.by_hook.at(hook);
    config.scale = MeanNorm(h);
    const at::Tensor x = h.to(at::kFloat) / config.scale;
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor means,
                              ClassMeans(x, OwnersOf(inputs)));
    TrainableSae slots({.d_model = config.d_model, .concepts = concepts},
                       x.mean(0), /*seed=*/1);
    slots.StartAtClassMeans(means);
    weights = slots.Export();
    return absl::OkStatus();
  });
  ALIGNSAE_RETURN_IF_ERROR(status);
  return SlotsOnly(inputs, std::move(config), weights);
}

absl::StatusOr<Sae> LinearProbeCheckpoint(const SaeInputs& inputs,
                                          HookPoint hook) {
  const int concepts = static_cast<int>(inputs.relations.size());
  SaeConfig config = BareConfig(inputs, hook, concepts);
  SaeWeights weights;
  const absl::Status status = WithTorchFence([&] {
    const SaeDataset data =
        DatasetAt(inputs.train, hook, inputs.relations, at::kCPU);
    config.scale = MeanNorm(data.residuals);
    const at::Tensor x = data.residuals.to(at::kFloat) / config.scale;
    std::tie(weights.w_enc, weights.b_enc) = TrainProbe(x, data);
    weights.w_dec =
        (weights.w_enc / weights.w_enc.square().sum(0, /*keepdim=*/true))
            .t()
            .contiguous();
    weights.b_dec = x.mean(0);
  });
  ALIGNSAE_RETURN_IF_ERROR(status);
  return SlotsOnly(inputs, std::move(config), weights);
}

absl::StatusOr<Sae> PlainSae(const SaeInputs& inputs, const SaePlan& plan) {
  SaeOptions options = plan.options;
  if (options.activation != "relu" && options.activation != "identity") {
    return absl::InvalidArgumentError(
        absl::StrCat("activation: must be relu or identity for features that "
                     "stand for concepts, got \"",
                     options.activation, "\""));
  }
  options.stage1_epochs += options.stage2_epochs;
  options.stage2_epochs = 0;
  if (options.init == "class_means") options.init = "random";
  SaeDataset data = DatasetAt(inputs.train, plan.hook, {}, inputs.device);
  data.labels = at::full_like(data.labels, -1);
  data.has_concept = at::Tensor();
  SaeRun run;
  run.on_epoch = [&plan](const SaeEpochLog& log, int epochs) {
    if (!plan.should_stop || !plan.should_stop()) return absl::OkStatus();
    return absl::CancelledError(absl::StrCat(
        plan.title, ": stopped after epoch ", log.epoch, " of ", epochs));
  };
  ALIGNSAE_ASSIGN_OR_RETURN(const TrainedSae trained,
                            TrainSae(data, options, run));
  SaeConfig config = BareConfig(inputs, plan.hook, trained.shape.features());
  config.activation = trained.shape.activation;
  config.scale = trained.scale;
  return Sae::FromWeights(config, trained.weights);
}

absl::StatusOr<std::vector<std::vector<int>>> TellingFeatures(
    const SaeInputs& inputs, const Sae& plain, int rounds) {
  const int needed = rounds * static_cast<int>(inputs.relations.size());
  if (plain.config().n_features < needed) {
    return absl::InvalidArgumentError(
        absl::StrCat("free_features: must be at least ", needed, ", got ",
                     plain.config().n_features));
  }
  return WithTorchFence([&] {
    at::NoGradGuard no_grad;
    const at::Tensor& h = inputs.train.by_hook.at(plain.config().hook);
    const at::Tensor owners = OwnersOf(inputs);
    FeatureSeparation separation;
    for (int64_t begin = 0; begin < h.size(0); begin += kEncodedRows) {
      const int64_t rows = std::min(kEncodedRows, h.size(0) - begin);
      separation.Add(plain.Encode(h.narrow(0, begin, rows)),
                     owners.narrow(0, begin, rows));
    }
    at::Tensor scores = separation.Scores();
    std::vector<std::vector<int>> features;
    for (int round = 0; round < rounds; ++round) {
      features.push_back(BestDistinctFeatures(scores));
      // Below every other score, but not taken twice in a later round.
      for (int taken : features.back()) scores.select(1, taken).fill_(-1e20);
    }
    return features;
  });
}

absl::StatusOr<Sae> WithConceptsAt(const SaeInputs& inputs, const Sae& plain,
                                   const std::vector<int>& features) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const SaeConfig config,
      CalibratedConfig(inputs, plain.config(), plain.weights(), features));
  return Sae::FromWeights(config, plain.weights());
}

}  // namespace alignsae
