#include "model/gpt2/gpt2.h"

#include <ATen/core/grad_mode.h>

#include <utility>

#include "model/base/status_macros.h"
#include "model/gpt2/block.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/attention.h"
#include "model/transformer/config_fields.h"
#include "model/transformer/layers.h"

namespace alignsae {
namespace {

std::vector<at::Tensor*> PartsOf(Gpt2Block& block) {
  return {&block.ln_1_weight, &block.ln_1_bias,        &block.c_attn_weight,
          &block.c_attn_bias, &block.attn_proj_weight, &block.attn_proj_bias,
          &block.ln_2_weight, &block.ln_2_bias,        &block.c_fc_weight,
          &block.c_fc_bias,   &block.mlp_proj_weight,  &block.mlp_proj_bias};
}

void MoveTo(at::Device device, const std::vector<at::Tensor*>& parts) {
  for (at::Tensor* part : parts) *part = part->to(device);
}

absl::StatusOr<Gpt2Config> ReadConfigOf(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string json, ReadConfigJson(directory));
  return ParseGpt2Config(json);
}

NormedMatrix AttentionInput(const Gpt2Block& block) {
  return {block.ln_1_weight, block.ln_1_bias, block.c_attn_weight,
          block.c_attn_bias};
}

}  // namespace

absl::StatusOr<Gpt2> Gpt2::Load(const std::string& directory, at::Device device,
                                WeightType type, Keep keep) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2Config config, ReadConfigOf(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(Gpt2Files files,
                            Gpt2Files::Open(directory, config));
  return WithTorchFence([&]() -> absl::StatusOr<Gpt2> {
    at::NoGradGuard no_grad;
    Gpt2 model(config, type);
    ALIGNSAE_RETURN_IF_ERROR(keep == Keep::kInFiles
                                 ? model.ReadForFiles(std::move(files))
                                 : model.ReadAll(files, device));
    return model;
  });
}

absl::StatusOr<Gpt2> Gpt2::PutTogether(const std::string& directory,
                                       WeightType type,
                                       const PreparedParts& parts) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2Config config, ReadConfigOf(directory));
  return WithTorchFence([&] {
    at::NoGradGuard no_grad;
    Gpt2 model(config, type);
    model.TakeFrom(parts);
    return model;
  });
}

PreparedParts Gpt2::TakeApart() const {
  PreparedParts parts;
  parts.Put("wte", wte_);
  parts.Put("wpe", wpe_);
  head_.Save("head", parts);
  SaveBlocks(blocks_, parts);
  SaveSplit(blocks_.back()->attention, last_, "last", config_.d_model, parts);
  return parts;
}

void Gpt2::TakeFrom(const PreparedParts& parts) {
  const double epsilon = config_.layer_norm_epsilon;
  const WeightType type = weight_type();
  wte_ = parts.Get("wte");
  wpe_ = parts.Get("wpe");
  head_ = NormedLinear(parts, "head", epsilon, type);
  blocks_ = TakeBlocks(parts, config_.n_layer, epsilon, type);
  last_ = SplitColumns(blocks_.back()->attention, parts, "last",
                       config_.d_model, type);
}

Gpt2::Gpt2(const Gpt2Config& config, WeightType type)
    : Transformer(config.facts(), type), config_(config) {}

Gpt2::Gpt2(const Gpt2Config& config, const Gpt2Weights& weights,
           WeightType type)
    : Gpt2(config, type) {
  at::NoGradGuard no_grad;
  SetEnds(weights);
  for (const Gpt2Block& block : weights.blocks) AddBlock(block);
}

// The head first: it is the largest matrix, and what is read to prepare it is
// gone before the blocks come.
absl::Status Gpt2::ReadAll(const Gpt2Files& files, at::Device device) {
  {
    ALIGNSAE_ASSIGN_OR_RETURN(Gpt2Weights ends, files.Ends());
    MoveTo(device, {&ends.wte, &ends.wpe, &ends.ln_f_weight, &ends.ln_f_bias,
                    &ends.lm_head});
    if (config_.tie_word_embeddings) ends.lm_head = ends.wte;
    SetEnds(ends);
  }
  for (int layer = 0; layer < config_.n_layer; ++layer) {
    ALIGNSAE_ASSIGN_OR_RETURN(Gpt2Block block, files.Block(layer));
    MoveTo(device, PartsOf(block));
    AddBlock(block);
  }
  return absl::OkStatus();
}

absl::Status Gpt2::ReadForFiles(Gpt2Files files) {
  ALIGNSAE_ASSIGN_OR_RETURN(wpe_, files.Positions());
  ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2Weights norm, files.FinalNorm());
  ln_f_weight_ = norm.ln_f_weight;
  ln_f_bias_ = norm.ln_f_bias;
  files_ = std::make_shared<const Gpt2Files>(std::move(files));
  return absl::OkStatus();
}

void Gpt2::SetEnds(const Gpt2Weights& weights) {
  wte_ = weights.wte;
  wpe_ = weights.wpe;
  head_ = NormedLinear(
      {weights.ln_f_weight, weights.ln_f_bias, weights.lm_head.t(), {}},
      config_.layer_norm_epsilon, weight_type());
}

void Gpt2::AddBlock(const Gpt2Block& block) {
  blocks_.push_back(Prepare(block));
  if (static_cast<int>(blocks_.size()) < config_.n_layer) return;
  last_ = SplitColumns(blocks_.back()->attention, AttentionInput(block),
                       config_.d_model, weight_type());
}

std::shared_ptr<const BlockMatrices> Gpt2::Prepare(
    const Gpt2Block& block) const {
  const double epsilon = config_.layer_norm_epsilon;
  const WeightType type = weight_type();
  return std::make_shared<const BlockMatrices>(BlockMatrices{
      .attention = NormedLinear(AttentionInput(block), epsilon, type),
      .dense = Linear(block.attn_proj_weight, block.attn_proj_bias, type),
      .inner = NormedLinear({block.ln_2_weight, block.ln_2_bias,
                             block.c_fc_weight, block.c_fc_bias},
                            epsilon, type),
      .out = Linear(block.mlp_proj_weight, block.mlp_proj_bias, type)});
}

std::shared_ptr<const BlockMatrices> Gpt2::BlockAt(int layer) const {
  if (files_ == nullptr) return blocks_[layer];
  return Prepare(ValueOrThrow(files_->Block(layer)));
}

std::vector<const Linear*> Gpt2::Matrices() const {
  std::vector<const Linear*> all;
  AddMatrices(blocks_, all);
  if (files_ == nullptr) all.push_back(&head_.matrix());
  return all;
}

at::Tensor Gpt2::Embed(const at::Tensor& ids,
                       const at::Tensor& positions) const {
  at::Tensor tokens = files_ != nullptr ? files_->Tokens().Rows(ids)
                                        : wte_.index_select(0, ids);
  return tokens.add_(wpe_.index_select(0, positions));
}

void Gpt2::FinishBlock(const BlockMatrices& block, int layer,
                       const at::Tensor& queries, const Packing& packing,
                       const KvCache& cache, const BlockHook* hook,
                       at::Tensor& x) const {
  const at::Tensor context =
      CachedAttention(queries, packing, cache, AttentionOf(config_, layer),
                      layer, block.dense.input_type());  // [N, D]
  AddPart(block.dense, context, HookKind::kAttnOut, hook, x);
  if (hook != nullptr) hook->At(HookKind::kResidMid, x);
  const at::Tensor inner = block.inner.matrix().ApplyActivated(
      block.inner.Normalised(x), config_.activation);  // [N, I]
  AddPart(block.out, inner, HookKind::kMlpOut, hook, x);
}

void Gpt2::RunBlock(int layer, const Packing& packing, KvCache& cache,
                    const BlockHook* hook, at::Tensor& x) const {
  const std::shared_ptr<const BlockMatrices> block = BlockAt(layer);
  const at::Tensor qkv = block->attention.Apply(x);  // [N, 3D]
  const int64_t d = config_.d_model;
  StoreKeysValues(qkv.narrow(1, d, 2 * d), packing, cache,
                  AttentionOf(config_, layer), layer);
  FinishBlock(*block, layer, qkv.narrow(1, 0, d), packing, cache, hook, x);
}

void Gpt2::RunLastBlock(const Packing& packing,
                        const std::vector<int64_t>& kept, const Packing& last,
                        KvCache& cache, at::Tensor& x) const {
  const int layer = config_.n_layer - 1;
  if (files_ != nullptr) {  // Nothing is split: all rows go all the way.
    RunBlock(layer, packing, cache, /*hook=*/nullptr, x);
    if (!kept.empty()) x = TakeRows(x, kept);
    return;
  }
  const at::Tensor normed = blocks_.back()->attention.Normalised(x);
  StoreKeysValues(last_.rest.Apply(normed), packing, cache,
                  AttentionOf(config_, layer), layer);
  if (kept.empty()) return;
  x = TakeRows(x, kept);
  FinishBlock(*blocks_.back(), layer, last_.first.Apply(TakeRows(normed, kept)),
              last, cache,
              /*hook=*/nullptr, x);
}

at::Tensor Gpt2::Unembed(const at::Tensor& x) const {
  at::NoGradGuard no_grad;
  if (files_ != nullptr) return files_->Head().Times(x);
  if (config_.tie_word_embeddings) return x.matmul(wte_.t());
  return head_.MatrixOnly(x);
}

at::Tensor Gpt2::Logits(const at::Tensor& x) const {
  if (files_ == nullptr) return head_.Apply(x);
  return files_->Head().Times(FastLayerNorm(
      x, ln_f_weight_, ln_f_bias_, config_.layer_norm_epsilon, at::kFloat));
}

}  // namespace alignsae
