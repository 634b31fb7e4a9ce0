#include "model/gpt_neox/gpt_neox.h"

#include <ATen/core/grad_mode.h>

#include <cmath>
#include <utility>

#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/config_fields.h"
#include "model/transformer/decode_plan.h"
#include "model/transformer/layers.h"

namespace alignsae {
namespace {

at::Tensor PositionsOf(const Packing& packing, at::Device device) {
  if (packing.decode != nullptr) return packing.decode->positions;
  return Positions(packing, device);
}

absl::StatusOr<GptNeoXConfig> ReadConfigOf(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string json, ReadConfigJson(directory));
  return ParseGptNeoXConfig(json);
}

NormedMatrix On(at::Device device, NormedMatrix matrix) {
  for (at::Tensor* part :
       {&matrix.gain, &matrix.shift, &matrix.weight, &matrix.bias}) {
    if (part->defined()) *part = part->to(device);
  }
  return matrix;
}

}  // namespace

absl::StatusOr<GptNeoX> GptNeoX::Load(const std::string& directory,
                                      at::Device device, WeightType type,
                                      Keep keep) {
  ALIGNSAE_ASSIGN_OR_RETURN(const GptNeoXConfig config,
                            ReadConfigOf(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(GptNeoXWeights weights,
                            GptNeoXWeights::Open(directory, config));
  return WithTorchFence([&]() -> absl::StatusOr<GptNeoX> {
    at::NoGradGuard no_grad;
    GptNeoX model(config, device, type);
    ALIGNSAE_RETURN_IF_ERROR(keep == Keep::kInFiles
                                 ? model.ReadForFiles(std::move(weights))
                                 : model.ReadAll(weights, device));
    return model;
  });
}

absl::StatusOr<GptNeoX> GptNeoX::PutTogether(const std::string& directory,
                                             WeightType type,
                                             const PreparedParts& parts) {
  ALIGNSAE_ASSIGN_OR_RETURN(const GptNeoXConfig config,
                            ReadConfigOf(directory));
  return WithTorchFence([&] {
    at::NoGradGuard no_grad;
    GptNeoX model(config, at::kCPU, type);
    model.TakeFrom(parts);
    return model;
  });
}

PreparedParts GptNeoX::TakeApart() const {
  PreparedParts parts;
  parts.Put("embed_in", embed_in_);
  head_.Save("head", parts);
  SaveBlocks(blocks_, parts);
  SaveSplit(blocks_.back()->attention, last_, "last", config_.d_model, parts);
  return parts;
}

void GptNeoX::TakeFrom(const PreparedParts& parts) {
  const double epsilon = config_.layer_norm_epsilon;
  const WeightType type = weight_type();
  embed_in_ = parts.Get("embed_in");
  head_ = NormedLinear(parts, "head", epsilon, type);
  blocks_ = TakeBlocks(parts, config_.n_layer, epsilon, type);
  last_ = SplitColumns(blocks_.back()->attention, parts, "last",
                       config_.d_model, type);
}

GptNeoX::GptNeoX(const GptNeoXConfig& config, at::Device device,
                 WeightType type)
    : Transformer(config.facts(), type),
      config_(config),
      rotary_(config, device) {}

// The head first: it is the largest matrix, and what is read to prepare it is
// gone before the blocks come.
absl::Status GptNeoX::ReadAll(const GptNeoXWeights& weights,
                              at::Device device) {
  {
    ALIGNSAE_ASSIGN_OR_RETURN(at::Tensor embedding, weights.Embedding());
    ALIGNSAE_ASSIGN_OR_RETURN(NormedMatrix head, weights.Head(embedding));
    head_ = NormedLinear(On(device, std::move(head)),
                         config_.layer_norm_epsilon, weight_type());
    embed_in_ = embedding.to(device);
  }
  for (int layer = 0; layer < config_.n_layer; ++layer) {
    ALIGNSAE_ASSIGN_OR_RETURN(GptNeoXBlock block, weights.Block(layer));
    block.attention = On(device, block.attention);
    block.inner = On(device, block.inner);
    for (at::Tensor* part : {&block.dense_weight, &block.dense_bias,
                             &block.out_weight, &block.out_bias}) {
      *part = part->to(device);
    }
    AddBlock(block);
  }
  return absl::OkStatus();
}

absl::Status GptNeoX::ReadForFiles(GptNeoXWeights weights) {
  ALIGNSAE_ASSIGN_OR_RETURN(final_norm_, weights.FinalNorm());
  files_ = std::make_shared<const GptNeoXWeights>(std::move(weights));
  return absl::OkStatus();
}

void GptNeoX::AddBlock(const GptNeoXBlock& block) {
  blocks_.push_back(Prepare(block));
  if (static_cast<int>(blocks_.size()) < config_.n_layer) return;
  last_ = SplitColumns(blocks_.back()->attention, block.attention,
                       config_.d_model, weight_type());
}

std::shared_ptr<const BlockMatrices> GptNeoX::Prepare(
    const GptNeoXBlock& block) const {
  const double epsilon = config_.layer_norm_epsilon;
  const WeightType type = weight_type();
  return std::make_shared<const BlockMatrices>(
      BlockMatrices{.attention = NormedLinear(block.attention, epsilon, type),
                    .dense = Linear(block.dense_weight, block.dense_bias, type),
                    .inner = NormedLinear(block.inner, epsilon, type),
                    .out = Linear(block.out_weight, block.out_bias, type)});
}

std::shared_ptr<const BlockMatrices> GptNeoX::BlockAt(int layer) const {
  if (files_ == nullptr) return blocks_[layer];
  return Prepare(ValueOrThrow(files_->Block(layer)));
}

std::vector<const Linear*> GptNeoX::Matrices() const {
  std::vector<const Linear*> all;
  AddMatrices(blocks_, all);
  if (files_ == nullptr) all.push_back(&head_.matrix());
  return all;
}

AttentionShape GptNeoX::Attention() const {
  return {.n_head = config_.n_head,
          .head_dim = config_.head_dim(),
          .scale = 1 / std::sqrt(config_.head_dim())};
}

at::Tensor GptNeoX::Embed(const at::Tensor& ids, const at::Tensor&) const {
  if (files_ != nullptr) return files_->EmbeddingFile().Rows(ids);
  return embed_in_.index_select(0, ids);
}

void GptNeoX::FinishBlock(const BlockMatrices& block, int layer,
                          const at::Tensor& queries, const Packing& packing,
                          const KvCache& cache, const BlockHook* hook,
                          at::Tensor& x) const {
  // Of x as it came in, where both halves read it.
  at::Tensor normed;  // [N, D]
  if (config_.parallel_residual) normed = block.inner.Normalised(x);
  const at::Tensor context =
      CachedAttention(queries, packing, cache, Attention(), layer,
                      block.dense.input_type());  // [N, D]
  AddPart(block.dense, context, HookKind::kAttnOut, hook, x);
  if (!config_.parallel_residual) {
    if (hook != nullptr) hook->At(HookKind::kResidMid, x);
    normed = block.inner.Normalised(x);
  }
  const at::Tensor inner = block.inner.matrix().ApplyActivated(
      normed, config_.activation);  // [N, I]
  AddPart(block.out, inner, HookKind::kMlpOut, hook, x);
}

void GptNeoX::RunBlock(int layer, const Packing& packing, KvCache& cache,
                       const BlockHook* hook, at::Tensor& x) const {
  const int64_t d = config_.d_model;
  const at::Tensor positions = PositionsOf(packing, device());
  const std::shared_ptr<const BlockMatrices> block = BlockAt(layer);
  const at::Tensor qkv = block->attention.Apply(x);  // [N, 3D]
  const at::Tensor queries = qkv.narrow(1, 0, d);
  rotary_.Turn(positions, queries);
  rotary_.Turn(positions, qkv.narrow(1, d, d));
  StoreKeysValues(qkv.narrow(1, d, 2 * d), packing, cache, Attention(), layer);
  FinishBlock(*block, layer, queries, packing, cache, hook, x);
}

void GptNeoX::RunLastBlock(const Packing& packing,
                           const std::vector<int64_t>& kept,
                           const Packing& last, KvCache& cache,
                           at::Tensor& x) const {
  const int layer = config_.n_layer - 1;
  if (files_ != nullptr) {  // Nothing is split: all rows go all the way.
    RunBlock(layer, packing, cache, /*hook=*/nullptr, x);
    if (!kept.empty()) x = TakeRows(x, kept);
    return;
  }
  const at::Tensor normed = blocks_.back()->attention.Normalised(x);
  const at::Tensor keys_values = last_.rest.Apply(normed);  // [N, 2D]
  rotary_.Turn(Positions(packing, device()),
               keys_values.narrow(1, 0, config_.d_model));
  StoreKeysValues(keys_values, packing, cache, Attention(), layer);
  if (kept.empty()) return;
  x = TakeRows(x, kept);
  const at::Tensor queries = last_.first.Apply(TakeRows(normed, kept));
  rotary_.Turn(Positions(last, device()), queries);
  FinishBlock(*blocks_.back(), layer, queries, last, cache, /*hook=*/nullptr,
              x);
}

at::Tensor GptNeoX::Unembed(const at::Tensor& x) const {
  at::NoGradGuard no_grad;
  if (files_ != nullptr) return files_->HeadFile().Times(x);
  return head_.MatrixOnly(x);
}

at::Tensor GptNeoX::Logits(const at::Tensor& x) const {
  if (files_ == nullptr) return head_.Apply(x);
  return files_->HeadFile().Times(
      FastLayerNorm(x, final_norm_.gain, final_norm_.shift,
                    config_.layer_norm_epsilon, at::kFloat));
}

}  // namespace alignsae
