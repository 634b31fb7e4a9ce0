#include "model/train/sae/trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/directory_lock.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/train/common/checkpoint.h"
#include "model/train/common/optimizer.h"
#include "model/train/common/random_order.h"
#include "model/train/sae/class_means.h"
#include "model/train/sae/losses.h"
#include "model/train/sae/objective.h"

namespace alignsae {
namespace {

constexpr int64_t kLeastBlockRows = 4;

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
  if (!AllFinite(data.residuals)) {
    return absl::InvalidArgumentError("residuals: must be finite");
  }
  if (data.block_rows != 0 && data.block_rows < kLeastBlockRows) {
    return absl::InvalidArgumentError(
        absl::StrCat("block_rows: must be 0 or at least ", kLeastBlockRows,
                     ", got ", data.block_rows));
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

// Where the blocks of an epoch begin, and the end of the last: about equal
// ones.
std::vector<int64_t> BlocksOf(const SaeDataset& data) {
  const int64_t rows = data.residuals.size(0);
  const int64_t blocks =
      data.block_rows == 0 ? 1 : (rows + data.block_rows - 1) / data.block_rows;
  std::vector<int64_t> bounds;
  for (int64_t b = 0; b <= blocks; ++b) bounds.push_back(b * rows / blocks);
  return bounds;
}

// Of everything that decides the result, so that a state file is never
// continued with other data or options.
std::string Fingerprint(const SaeDataset& data, const SaeOptions& options) {
  std::string content = FieldsToJson(options).dump();
  if (BlocksOf(data).size() > 2) {
    absl::StrAppend(&content, " blocks of ", data.block_rows);
  }
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

SaeShape SaeShapeOf(const SaeDataset& data, const SaeOptions& options) {
  SaeShape shape;
  shape.d_model = static_cast<int>(data.residuals.size(1));
  shape.concepts = data.concepts;
  shape.free_features = options.free_features;
  shape.of_batch = options.activation == "batchtopk";
  shape.activation = shape.of_batch
                         ? SaeActivation::kTopK
                         : ParseSaeActivation(options.activation).value();
  if (shape.activation == SaeActivation::kTopK) shape.k = options.k;
  return shape;
}

class SaeTrainer {
 public:
  // `options` have passed CheckSaeOptions, the data CheckData.
  SaeTrainer(const SaeDataset& data, const SaeOptions& options)
      : data_(data),
        options_(options),
        scale_(options.scale == "none" ? 1 : MeanNorm(data.residuals)),
        sae_(SaeShapeOf(data, options),
             MeanRow(data.residuals, scale_).to(data.labels.device()),
             options.seed,
             options.init == "linear" ? SaeInit::kLinear : SaeInit::kUnitRows),
        heads_(InitValueHeads(data.first_tokens, data.concepts,
                              options.value_hidden, options.seed)),
        objective_(data, options, heads_),
        idle_(at::zeros({options.free_features},
                        data.labels.options().dtype(at::kFloat))),
        fingerprint_(Fingerprint(data, options)),
        adam_(AllParameters(), {.weight_decay = options.weight_decay}) {}

  // Before the first epoch and before Resume: what the class means give.
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
  // Residuals / s of rows [begin, end), where the SAE is trained.
  at::Tensor Block(int64_t begin, int64_t end) const;
  // The rows of [begin, end) in the order `rng` gives.
  void RunBlock(int64_t begin, int64_t end, const SaeLossWeights& weights,
                CounterRng& rng, SaeEpochLog& log);
  at::Tensor BatchLoss(const SaeObjective::Batch& batch,
                       const SaeLossWeights& weights, SaeEpochLog& log);
  double BatchTopKThreshold() const;

  const SaeDataset& data_;
  const SaeOptions& options_;
  double scale_;
  TrainableSae sae_;
  ValueHeads heads_;
  SaeObjective objective_;
  at::Tensor idle_;  // [K] float32, rows since each free feature fired.
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
  if (options_.aux > 0) state.emplace_back("idle", idle_);
  return state;
}

absl::Status SaeTrainer::Start() {
  const bool at_means = options_.init == "class_means";
  if (!at_means && options_.write == 0) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(
      const at::Tensor means,
      ClassMeans(data_.residuals,
                 HasConcept(data_.has_concept, data_.labels, data_.concepts)));
  if (at_means) sae_.StartAtClassMeans(means / scale_);
  objective_.SetClassDifferences((means - means.mean(0, true)) / scale_);
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

at::Tensor SaeTrainer::Block(int64_t begin, int64_t end) const {
  return data_.residuals.narrow(0, begin, end - begin)
             .to(data_.labels.device(), at::kFloat) /
         scale_;
}

at::Tensor SaeTrainer::BatchLoss(const SaeObjective::Batch& batch,
                                 const SaeLossWeights& weights,
                                 SaeEpochLog& log) {
  const TrainableSae::Output out = sae_.Forward(batch.x);
  const at::Tensor loss =
      objective_.Loss(sae_, heads_, out, batch, weights, log);
  if (options_.aux > 0) {
    at::NoGradGuard no_grad;
    const at::Tensor fired =
        out.z.narrow(1, data_.concepts, options_.free_features).gt(0).any(0);
    idle_.add_(batch.x.size(0)).masked_fill_(fired, 0);
  }
  return loss;
}

void SaeTrainer::RunBlock(int64_t begin, int64_t end,
                          const SaeLossWeights& weights, CounterRng& rng,
                          SaeEpochLog& log) {
  const int rows = static_cast<int>(end - begin);
  const at::Tensor x = Block(begin, end);  // [rows, D]
  const std::vector<int> permutation = Permutation(rng, rows);
  const at::Tensor order =
      at::tensor(permutation, at::kLong).to(x.device());  // [rows]
  int size = 0;
  for (int from = 0; from < rows; from += size) {
    size = std::min(options_.batch_size, rows - from);
    // A last row alone has no covariances: it joins the batch before it.
    if (rows - from - size == 1) ++size;
    const at::Tensor chosen = order.narrow(0, from, size);
    const at::Tensor loss =
        BatchLoss({.rows = chosen + begin,
                   .x = x.index_select(0, chosen),
                   .dead = options_.aux > 0 ? idle_.ge(options_.dead_after)
                                            : at::Tensor()},
                  weights, log);
    log.total += loss.item<double>() * size;
    if (!loss.requires_grad()) continue;  // All weights are 0.
    loss.backward();
    adam_.Step(options_.learning_rate);
  }
}

absl::StatusOr<SaeEpochLog> SaeTrainer::RunEpoch() {
  SaeEpochLog log;
  log.epoch = epochs_done() + 1;
  log.stage = log.epoch <= options_.stage1_epochs ? 1 : 2;
  const SaeLossWeights weights = WeightsOfEpoch(options_, log.stage, log.epoch);
  CounterRng rng =
      RandomStream(options_.seed, RandomPurpose::kSaeEpoch, log.epoch);
  const std::vector<int64_t> bounds = BlocksOf(data_);
  std::vector<int> blocks(bounds.size() - 1);
  std::iota(blocks.begin(), blocks.end(), 0);
  Shuffle(rng, blocks);  // Draws nothing for one.
  for (int block : blocks) {
    RunBlock(bounds[block], bounds[block + 1], weights, rng, log);
  }
  const double rows = static_cast<double>(data_.residuals.size(0));
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

// The mean over batches of what each keeps at least: what of_batch comes to
// when a row is alone.
double SaeTrainer::BatchTopKThreshold() const {
  at::NoGradGuard no_grad;
  const std::vector<int64_t> bounds = BlocksOf(data_);
  double sum = 0;
  int batches = 0;
  for (size_t block = 0; block + 1 < bounds.size(); ++block) {
    const at::Tensor x = Block(bounds[block], bounds[block + 1]);
    for (int64_t from = 0; from < x.size(0); from += options_.batch_size) {
      const int64_t size =
          std::min<int64_t>(options_.batch_size, x.size(0) - from);
      sum += sae_.SmallestKept(sae_.Forward(x.narrow(0, from, size)).pre);
      ++batches;
    }
  }
  return sum / batches;
}

TrainedSae SaeTrainer::Finish() const {
  TrainedSae trained;
  trained.shape = sae_.shape();
  if (trained.shape.of_batch) {
    trained.weights = sae_.Export(BatchTopKThreshold());
    trained.shape.of_batch = false;
    trained.shape.activation = SaeActivation::kJumpRelu;
    trained.shape.k = 0;
  } else {
    trained.weights = sae_.Export();
  }
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
  SaeTrainer trainer(data, options);
  ALIGNSAE_RETURN_IF_ERROR(trainer.Start());
  const bool checkpoints = !run.state_path.empty();
  DirectoryLock lock;
  if (checkpoints) {
    const std::string directory = ParentDirectory(run.state_path);
    ALIGNSAE_RETURN_IF_ERROR(lock.TakeIfThere(directory));
    ALIGNSAE_RETURN_IF_ERROR(trainer.Resume(run.state_path));
    // From here on the run may write.
    ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory));
    ALIGNSAE_RETURN_IF_ERROR(lock.Take(directory));
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
  const bool keeps_k =
      options.activation == "topk" || options.activation == "batchtopk";
  if (keeps_k && options.k > options.free_features) {
    return absl::InvalidArgumentError(
        absl::StrCat("k: must be at most free_features (",
                     options.free_features, "), got ", options.k));
  }
  return CheckTerms(options);
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
