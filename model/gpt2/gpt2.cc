#include "model/gpt2/gpt2.h"

#include <ATen/core/grad_mode.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/block.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/attention.h"
#include "model/transformer/layers.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

absl::Status MoveTo(at::Device device, bool tied, Gpt2Weights& weights) {
  return WithTorchFence([&] {
    for (auto& [name, tensor] : weights.Named()) *tensor = tensor->to(device);
    if (tied) weights.lm_head = weights.wte;
  });
}

at::Tensor Normalised(const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias, const Gpt2Config& config,
                      const Linear& next) {
  return FastLayerNorm(x, weight, bias, config.layer_norm_epsilon,
                       next.input_type());
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
      wpe_(weights.wpe),
      ln_f_weight_(weights.ln_f_weight),
      ln_f_bias_(weights.ln_f_bias) {
  at::NoGradGuard no_grad;
  for (const Gpt2Block& block : weights.blocks) {
    blocks_.push_back(
        {.ln_1_weight = block.ln_1_weight,
         .ln_1_bias = block.ln_1_bias,
         .c_attn = Linear(block.c_attn_weight, block.c_attn_bias, type),
         .attn_proj =
             Linear(block.attn_proj_weight, block.attn_proj_bias, type),
         .ln_2_weight = block.ln_2_weight,
         .ln_2_bias = block.ln_2_bias,
         .c_fc = Linear(block.c_fc_weight, block.c_fc_bias, type),
         .mlp_proj = Linear(block.mlp_proj_weight, block.mlp_proj_bias, type)});
  }
  const Gpt2Block& last = weights.blocks.back();
  const int64_t d = config.d_model;
  last_queries_ = Linear(last.c_attn_weight.narrow(1, 0, d),
                         last.c_attn_bias.narrow(0, 0, d), type);
  last_keys_values_ = Linear(last.c_attn_weight.narrow(1, d, 2 * d),
                             last.c_attn_bias.narrow(0, d, 2 * d), type);
  lm_head_ = Linear(weights.lm_head.t(), at::Tensor(), type);
}

int64_t Gpt2::matrix_bytes() const {
  int64_t bytes = lm_head_.bytes();
  for (const Block& block : blocks_) {
    bytes += block.c_attn.bytes() + block.attn_proj.bytes() +
             block.c_fc.bytes() + block.mlp_proj.bytes();
  }
  return bytes;
}

at::Tensor Gpt2::Embed(absl::Span<const int32_t> tokens,
                       const Packing& packing) const {
  const at::Tensor ids =
      at::tensor(at::ArrayRef<int32_t>(tokens.data(), tokens.size()), at::kLong)
          .to(device());  // [N]
  return wte_.index_select(0, ids).add_(
      wpe_.index_select(0, Positions(packing, device())));
}

void Gpt2::FinishBlock(int layer, const at::Tensor& queries,
                       const Packing& packing, const KvCache& cache,
                       at::Tensor& x) const {
  const Block& block = blocks_[layer];
  const at::Tensor context =
      CachedAttention(queries, packing, cache, AttentionOf(config_, layer),
                      layer, block.attn_proj.input_type());  // [N, D]
  block.attn_proj.AddTo(context, x);
  const at::Tensor inner = block.c_fc.ApplyActivated(
      Normalised(x, block.ln_2_weight, block.ln_2_bias, config_, block.c_fc),
      config_.activation);  // [N, I]
  block.mlp_proj.AddTo(inner, x);
}

void Gpt2::RunBlock(int layer, const Packing& packing, KvCache& cache,
                    at::Tensor& x) const {
  const Block& block = blocks_[layer];
  const at::Tensor qkv = block.c_attn.Apply(Normalised(
      x, block.ln_1_weight, block.ln_1_bias, config_, block.c_attn));  // [N,3D]
  const int64_t d = config_.d_model;
  StoreKeysValues(qkv.narrow(1, d, 2 * d), packing, cache,
                  AttentionOf(config_, layer), layer);
  FinishBlock(layer, qkv.narrow(1, 0, d), packing, cache, x);
}

void Gpt2::RunLastBlock(const Packing& packing,
                        const std::vector<int64_t>& kept, const Packing& last,
                        KvCache& cache, at::Tensor& x) const {
  const Block& block = blocks_.back();
  const int layer = config_.n_layer - 1;
  const at::Tensor normed =
      Normalised(x, block.ln_1_weight, block.ln_1_bias, config_, block.c_attn);
  StoreKeysValues(last_keys_values_.Apply(normed), packing, cache,
                  AttentionOf(config_, layer), layer);
  if (kept.empty()) return;
  x = TakeRows(x, kept);
  FinishBlock(layer, last_queries_.Apply(TakeRows(normed, kept)), last, cache,
              x);
}

at::Tensor Gpt2::Logits(const at::Tensor& x) const {
  return lm_head_.Apply(
      Normalised(x, ln_f_weight_, ln_f_bias_, config_, lm_head_));
}

}  // namespace alignsae
