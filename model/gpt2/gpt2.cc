#include "model/gpt2/gpt2.h"

#include <ATen/core/grad_mode.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/block.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/attention.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

absl::Status MoveTo(at::Device device, bool tied, Gpt2Weights& weights) {
  return WithTorchFence([&] {
    for (auto& [name, tensor] : weights.Named()) *tensor = tensor->to(device);
    if (tied) weights.lm_head = weights.wte;
  });
}

NormedMatrix AttentionInput(const Gpt2Block& block) {
  return {block.ln_1_weight, block.ln_1_bias, block.c_attn_weight,
          block.c_attn_bias};
}

}  // namespace

absl::StatusOr<Gpt2> Gpt2::Load(const std::string& directory, at::Device device,
                                WeightType type) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string json,
      ReadFile(absl::StrCat(directory, "/config.json"), kMaxConfigBytes));
  ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2Config config, ParseGpt2Config(json));
  ALIGNSAE_ASSIGN_OR_RETURN(Gpt2Weights weights,
                            LoadGpt2Weights(directory, config));
  ALIGNSAE_RETURN_IF_ERROR(MoveTo(device, config.tie_word_embeddings, weights));
  return WithTorchFence(
      [&]() -> absl::StatusOr<Gpt2> { return Gpt2(config, weights, type); });
}

Gpt2::Gpt2(const Gpt2Config& config, const Gpt2Weights& weights,
           WeightType type)
    : Transformer(config.facts(), type),
      config_(config),
      wte_(weights.wte),
      wpe_(weights.wpe) {
  at::NoGradGuard no_grad;
  for (const Gpt2Block& block : weights.blocks) {
    blocks_.push_back(Prepare(block));
  }
  last_ = SplitColumns(blocks_.back().c_attn,
                       AttentionInput(weights.blocks.back()), config.d_model,
                       type);
  head_ = NormedLinear(
      {weights.ln_f_weight, weights.ln_f_bias, weights.lm_head.t(), {}},
      config.layer_norm_epsilon, type);
}

Gpt2::Block Gpt2::Prepare(const Gpt2Block& block) const {
  const double epsilon = config_.layer_norm_epsilon;
  const WeightType type = weight_type();
  return {
      .c_attn = NormedLinear(AttentionInput(block), epsilon, type),
      .attn_proj = Linear(block.attn_proj_weight, block.attn_proj_bias, type),
      .c_fc = NormedLinear({block.ln_2_weight, block.ln_2_bias,
                            block.c_fc_weight, block.c_fc_bias},
                           epsilon, type),
      .mlp_proj = Linear(block.mlp_proj_weight, block.mlp_proj_bias, type)};
}

int64_t Gpt2::matrix_bytes() const {
  int64_t bytes = head_.matrix().bytes();
  for (const Block& block : blocks_) {
    bytes += block.c_attn.matrix().bytes() + block.attn_proj.bytes() +
             block.c_fc.matrix().bytes() + block.mlp_proj.bytes();
  }
  return bytes;
}

at::Tensor Gpt2::Embed(const at::Tensor& ids,
                       const at::Tensor& positions) const {
  return wte_.index_select(0, ids).add_(wpe_.index_select(0, positions));
}

void Gpt2::FinishBlock(int layer, const at::Tensor& queries,
                       const Packing& packing, const KvCache& cache,
                       const BlockHook* hook, at::Tensor& x) const {
  const Block& block = blocks_[layer];
  const at::Tensor context =
      CachedAttention(queries, packing, cache, AttentionOf(config_, layer),
                      layer, block.attn_proj.input_type());  // [N, D]
  AddPart(block.attn_proj, context, HookKind::kAttnOut, hook, x);
  if (hook != nullptr) hook->At(HookKind::kResidMid, x);
  const at::Tensor inner = block.c_fc.matrix().ApplyActivated(
      block.c_fc.Normalised(x), config_.activation);  // [N, I]
  AddPart(block.mlp_proj, inner, HookKind::kMlpOut, hook, x);
}

void Gpt2::RunBlock(int layer, const Packing& packing, KvCache& cache,
                    const BlockHook* hook, at::Tensor& x) const {
  const Block& block = blocks_[layer];
  const at::Tensor qkv = block.c_attn.Apply(x);  // [N, 3D]
  const int64_t d = config_.d_model;
  StoreKeysValues(qkv.narrow(1, d, 2 * d), packing, cache,
                  AttentionOf(config_, layer), layer);
  FinishBlock(layer, qkv.narrow(1, 0, d), packing, cache, hook, x);
}

void Gpt2::RunLastBlock(const Packing& packing,
                        const std::vector<int64_t>& kept, const Packing& last,
                        KvCache& cache, at::Tensor& x) const {
  const int layer = config_.n_layer - 1;
  const at::Tensor normed = blocks_.back().c_attn.Normalised(x);
  StoreKeysValues(last_.rest.Apply(normed), packing, cache,
                  AttentionOf(config_, layer), layer);
  if (kept.empty()) return;
  x = TakeRows(x, kept);
  FinishBlock(layer, last_.first.Apply(TakeRows(normed, kept)), last, cache,
              /*hook=*/nullptr, x);
}

at::Tensor Gpt2::Logits(const at::Tensor& x) const {
  return head_.Apply(x);
}

}  // namespace alignsae
