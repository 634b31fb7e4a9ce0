#include "model/train/sae/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/train/common/checkpoint.h"
#include "model/train/common/optimizer.h"
#include "model/train/common/random_order.h"
#include "model/train/sae/class_means.h"

namespace alignsae {
namespace {

// Of epoch `epoch` (from 1, both stages counted), which is of stage `stage`.
SaeLossWeights WeightsOfEpoch(const SaeOptions& options, int stage, int epoch) {
  SaeLossWeights weights = {.recon = options.recon,
                            .sparse = options.sparse,
                            .align = options.align,
                            .perp = options.perp,
                            .val = options.val,
                            .indep = options.indep,
                            .prefix = options.prefix};
  if (options.align_rise > 0) {
    weights.align *=
        std::min(1.0, static_cast<double>(epoch - options.stage1_epochs) /
                          static_cast<double>(options.align_rise));
  }
  if (stage == 1) {
    weights.align = weights.perp = weights.val = weights.indep = 0;
    weights.prefix = 0;
  }
  return weights;
}

absl::Status CheckVector(absl::string_view name, const at::Tensor& tensor,
                         int64_t rows) {
  if (tensor.dim() == 1 && tensor.size(0) == rows &&
      tensor.scalar_type() == at::kLong) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": must be int64 of shape [", rows, "], got ",
                   c10::toString(tensor.scalar_type()), " of shape [",
                   absl::StrJoin(tensor.sizes(), ", "), "]"));
}

absl::Status CheckData(const SaeDataset& data) {
  if (data.residuals.dim() != 2 || data.residuals.size(0) < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("residuals: must be [N, D] with at least 2 rows, got [",
                     absl::StrJoin(data.residuals.sizes(), ", "), "]"));
  }
  if (!at::isfinite(data.residuals).all().item<bool>()) {
    return absl::InvalidArgumentError("residuals: must be finite");
  }
  const int64_t rows = data.residuals.size(0);
  ALIGNSAE_RETURN_IF_ERROR(CheckVector("labels", data.labels, rows));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckVector("first_tokens", data.first_tokens, rows));
  const int64_t low = data.labels.min().item<int64_t>();
  const int64_t high = data.labels.max().item<int64_t>();
  if (low < -1 || high >= data.concepts) {
    return absl::InvalidArgumentError(absl::StrCat("labels: must be in [-1, ",
                                                   data.concepts - 1, "], got ",
                                                   low < -1 ? low : high));
  }
  return absl::OkStatus();
}

// Of everything that decides the result, so that a state file is never
// continued with other data or options.
std::string Fingerprint(const SaeDataset& data, const SaeOptions& options) {
  std::string content = FieldsToJson(options).dump();
  for (const at::Tensor& tensor :
       {data.residuals, data.labels, data.first_tokens, data.has_concept}) {
    if (!tensor.defined()) continue;
    const at::Tensor bytes = tensor.to(at::kCPU).contiguous();
    absl::StrAppend(
        &content, " [", absl::StrJoin(bytes.sizes(), ","), "] ",
        Sha256Hex(absl::string_view(static_cast<const char*>(bytes.data_ptr()),
                                    bytes.nbytes())));
  }
  return Sha256Hex(content);
}

// Index of each first token in `vocabulary` [V], rising. -> [N]
at::Tensor TargetsOf(const at::Tensor& first_tokens,
                     const std::vector<int64_t>& vocabulary) {
  const at::Tensor sorted = at::tensor(vocabulary, at::kLong);
  return at::searchsorted(sorted, first_tokens.to(at::kCPU))
      .to(first_tokens.device());
}

AlignTargets AlignTargetsOf(const SaeDataset& data) {
  std::vector<std::vector<int>> facets = data.facets;
  if (facets.empty()) {
    facets.emplace_back(data.concepts);
    std::iota(facets[0].begin(), facets[0].end(), 0);
  }
  return AlignTargets(HasConcept(data.has_concept, data.labels, data.concepts),
                      facets);
}

class SaeTrainer {
 public:
  SaeTrainer(const SaeDataset& data, const SaeOptions& options,
             SaeActivation activation, PerpForm perp_form)
      : data_(data),
        options_(options),
        perp_form_(perp_form),
        scale_(options.scale == "none" ? 1 : MeanNorm(data.residuals)),
        x_(data.residuals.to(at::kFloat) / scale_),
        sae_({.d_model = static_cast<int>(x_.size(1)),
              .concepts = data.concepts,
              .free_features = options.free_features,
              .activation = activation,
              .k = activation == SaeActivation::kTopK ? options.k : 0},
             x_.mean(0), options.seed,
             options.init == "linear" ? SaeInit::kLinear : SaeInit::kUnitRows),
        heads_(InitValueHeads(data.first_tokens, data.concepts,
                              options.value_hidden, options.seed)),
        targets_(TargetsOf(data.first_tokens, heads_.tokens)),
        answered_(data.labels.masked_fill(data.first_tokens.lt(0), -1)),
        align_(AlignTargetsOf(data)),
        fingerprint_(Fingerprint(data, options)),
        adam_(AllParameters(), {.weight_decay = options.weight_decay}) {}

  // Before the first epoch and before Resume: options.init.
  absl::Status Start();
  absl::Status Resume(const std::string& path);
  absl::Status Save(const std::string& path) const;
  absl::StatusOr<SaeEpochLog> RunEpoch();

  int epochs_done() const { return static_cast<int>(log_.size()); }
  int epochs() const { return options_.stage1_epochs + options_.stage2_epochs; }

  TrainedSae Finish() const;

 private:
  std::vector<TrainedTensor> AllParameters() const;
  NamedTensors State() const;
  at::Tensor BatchLoss(const at::Tensor& rows, const SaeLossWeights& weights,
                       SaeEpochLog& sums) const;

  const SaeDataset& data_;
  const SaeOptions& options_;
  PerpForm perp_form_;
  double scale_;
  at::Tensor x_;  // [N, D] residuals / scale
  TrainableSae sae_;
  ValueHeads heads_;
  at::Tensor targets_;   // [N] index into heads_.tokens
  at::Tensor answered_;  // [N] labels; -1 also where there is no answer
  AlignTargets align_;
  std::string fingerprint_;
  AdamW adam_;
  std::vector<SaeEpochLog> log_;
};

std::vector<TrainedTensor> SaeTrainer::AllParameters() const {
  std::vector<TrainedTensor> parameters = sae_.Parameters();
  for (const auto& [name, tensor] : heads_.Tensors()) {
    at::Tensor(tensor).requires_grad_(true);
    parameters.push_back({absl::StrCat("head.", name), tensor});
  }
  for (TrainedTensor& parameter : parameters) {
    parameter.decay = parameter.value.dim() >= 2;
  }
  return parameters;
}

NamedTensors SaeTrainer::State() const {
  NamedTensors state = adam_.State();
  for (const TrainedTensor& parameter : adam_.parameters()) {
    state.emplace_back(parameter.name, parameter.value);
  }
  return state;
}

absl::Status SaeTrainer::Start() {
  if (options_.init != "class_means") return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(
      const at::Tensor means,
      ClassMeans(x_,
                 HasConcept(data_.has_concept, data_.labels, data_.concepts)));
  sae_.StartAtClassMeans(means);
  return absl::OkStatus();
}

absl::Status SaeTrainer::Save(const std::string& path) const {
  return WriteTrainingState(path, State(),
                            {{"fingerprint", fingerprint_},
                             {"steps", absl::StrCat(adam_.steps())},
                             {"log", LogToJson(log_).dump()}});
}

absl::Status SaeTrainer::Resume(const std::string& path) {
  if (!FileExists(path)) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const TrainingStateFile file,
                            TrainingStateFile::Open(path));
  if (file.Metadata("fingerprint") != fingerprint_) {
    return absl::FailedPreconditionError(
        absl::StrCat(path,
                     ": must be of the same data and options, got the state of "
                     "another run; remove it to start again"));
  }
  int64_t steps = 0;
  if (!absl::SimpleAtoi(file.Metadata("steps"), &steps)) {
    return absl::DataLossError(absl::StrCat(path, ": steps: must be a number"));
  }
  ALIGNSAE_RETURN_IF_ERROR(file.CopyInto(State()));
  ALIGNSAE_ASSIGN_OR_RETURN(log_, LogFromJson(file.Metadata("log")));
  adam_.set_steps(steps);
  return absl::OkStatus();
}

// rows [B] int64. Adds the terms, times B, to `sums`. -> []
at::Tensor SaeTrainer::BatchLoss(const at::Tensor& rows,
                                 const SaeLossWeights& weights,
                                 SaeEpochLog& sums) const {
  const int64_t concepts = data_.concepts;
  const at::Tensor x = x_.index_select(0, rows);              // [B, D]
  const at::Tensor labels = answered_.index_select(0, rows);  // [B]
  const TrainableSae::Output out = sae_.Forward(x);
  const at::Tensor z_concept = out.z.narrow(1, 0, concepts);
  const at::Tensor z_free = out.z.narrow(1, concepts, options_.free_features);
  at::Tensor total = at::zeros({}, x.options());
  const auto add = [&](double weight, std::optional<double>& sum, auto&& term) {
    if (weight == 0) return;
    const at::Tensor value = term();
    sum = sum.value_or(0) +
          value.template item<double>() * static_cast<double>(rows.size(0));
    total = total + weight * value;
  };
  add(weights.recon, sums.recon, [&] { return ReconLoss(x, out.x_hat); });
  add(weights.prefix, sums.prefix, [&] {
    return PrefixLoss(x, z_concept, sae_.concept_directions(), sae_.b_dec());
  });
  add(weights.sparse, sums.sparse, [&] {
    return SparseLoss(z_free, options_.sparse_form == "mean"
                                  ? SparseForm::kMean
                                  : SparseForm::kSum);
  });
  add(weights.align, sums.align, [&] {
    return AlignLoss(
        options_.align_on == "z" ? z_concept : out.pre.narrow(1, 0, concepts),
        align_, rows,
        options_.align_form == "mse" ? AlignForm::kOneHot
                                     : AlignForm::kCrossEntropy);
  });
  add(weights.perp, sums.perp,
      [&] { return PerpLoss(z_concept, z_free, perp_form_); });
  add(heads_.tokens.empty() ? 0 : weights.val, sums.val, [&] {
    return ValueLoss(heads_, z_concept, labels, targets_.index_select(0, rows));
  });
  add(weights.indep, sums.indep, [&] { return IndepLoss(z_free); });
  return total;
}

absl::StatusOr<SaeEpochLog> SaeTrainer::RunEpoch() {
  SaeEpochLog log;
  log.epoch = epochs_done() + 1;
  log.stage = log.epoch <= options_.stage1_epochs ? 1 : 2;
  const SaeLossWeights weights = WeightsOfEpoch(options_, log.stage, log.epoch);
  const int rows = static_cast<int>(x_.size(0));
  CounterRng rng =
      RandomStream(options_.seed, RandomPurpose::kSaeEpoch, log.epoch);
  const std::vector<int> permutation = Permutation(rng, rows);
  const at::Tensor order =
      at::tensor(permutation, at::kLong).to(x_.device());  // [N]
  int size = 0;
  for (int begin = 0; begin < rows; begin += size) {
    size = std::min(options_.batch_size, rows - begin);
    // A last row alone has no covariances: it joins the batch before it.
    if (rows - begin - size == 1) ++size;
    const at::Tensor loss =
        BatchLoss(order.narrow(0, begin, size), weights, log);
    log.total += loss.item<double>() * size;
    if (!loss.requires_grad()) continue;  // All weights are 0.
    loss.backward();
    adam_.Step(options_.learning_rate);
  }
  log.total /= rows;
  for (std::optional<double>* term : MutableTermsOf(log)) {
    if (term->has_value()) **term /= rows;
  }
  if (!std::isfinite(log.total)) {
    return absl::FailedPreconditionError(
        absl::StrCat("loss: must be finite, got ", EpochLogLine(log),
                     "; lower the learning rate or the weights"));
  }
  log_.push_back(log);
  return log;
}

TrainedSae SaeTrainer::Finish() const {
  TrainedSae trained;
  trained.shape = sae_.shape();
  trained.weights = sae_.Export();
  trained.scale = scale_;
  trained.heads = heads_;
  for (at::Tensor* tensor : {&trained.heads.w1, &trained.heads.b1,
                             &trained.heads.w2, &trained.heads.b2}) {
    *tensor = tensor->detach().to(at::kCPU);
  }
  trained.log = log_;
  return trained;
}

absl::StatusOr<TrainedSae> Train(const SaeDataset& data,
                                 const SaeOptions& options, const SaeRun& run) {
  ALIGNSAE_ASSIGN_OR_RETURN(const SaeActivation activation,
                            ParseSaeActivation(options.activation));
  ALIGNSAE_ASSIGN_OR_RETURN(const PerpForm perp_form,
                            ParsePerpForm(options.perp_form));
  SaeTrainer trainer(data, options, activation, perp_form);
  ALIGNSAE_RETURN_IF_ERROR(trainer.Start());
  const bool checkpoints = !run.state_path.empty();
  if (checkpoints) {
    ALIGNSAE_RETURN_IF_ERROR(trainer.Resume(run.state_path));
    // From here on the run may write.
    ALIGNSAE_RETURN_IF_ERROR(
        CreateDirectories(ParentDirectory(run.state_path)));
  }
  while (trainer.epochs_done() < trainer.epochs()) {
    ALIGNSAE_ASSIGN_OR_RETURN(const SaeEpochLog log, trainer.RunEpoch());
    if (checkpoints && (log.epoch % options.checkpoint_every == 0 ||
                        log.epoch == trainer.epochs())) {
      ALIGNSAE_RETURN_IF_ERROR(trainer.Save(run.state_path));
    }
    if (!run.on_epoch) continue;
    const absl::Status go_on = run.on_epoch(log, trainer.epochs());
    if (!go_on.ok()) {  // Stopped: nothing of what was done is lost.
      if (checkpoints) ALIGNSAE_RETURN_IF_ERROR(trainer.Save(run.state_path));
      return go_on;
    }
  }
  return trainer.Finish();
}

}  // namespace

absl::Status CheckSaeOptions(const SaeOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(options));
  if (options.activation == "topk" && options.k > options.free_features) {
    return absl::InvalidArgumentError(
        absl::StrCat("k: must be at most free_features (",
                     options.free_features, "), got ", options.k));
  }
  return absl::OkStatus();
}

double MeanNorm(const at::Tensor& residuals) {
  return residuals.to(at::kDouble).norm(2, {1}).mean().item<double>();
}

absl::StatusOr<TrainedSae> TrainSae(const SaeDataset& data,
                                    const SaeOptions& options,
                                    const SaeRun& run) {
  ALIGNSAE_RETURN_IF_ERROR(CheckSaeOptions(options));
  return WithTorchFence([&]() -> absl::StatusOr<TrainedSae> {
    ALIGNSAE_RETURN_IF_ERROR(CheckData(data));
    return Train(data, options, run);
  });
}

}  // namespace alignsae
