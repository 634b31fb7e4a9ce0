#include "model/gpt2/gpt2.h"

#include <ATen/core/grad_mode.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/block.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/attention.h"
#include "model/transformer/balance.h"
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

// Adds to x what `projection` makes of `input`, seen by `hook` on its way.
void AddPart(const Linear& projection, const at::Tensor& input, HookKind kind,
             const BlockHook* hook, at::Tensor& x) {
  if (hook == nullptr) {
    projection.AddTo(input, x);
    return;
  }
  at::Tensor part = projection.Apply(input);  // [N, D]
  hook->At(kind, part);
  x.add_(part);
}

// As the weights are prepared for `type`: see balance.h.
NormedMatrix ForType(NormedMatrix plain, WeightType type) {
  return type == WeightType::kInt8 ? Balanced(plain) : plain;
}

NormedMatrix AttentionInput(const Gpt2Block& block, WeightType type) {
  return ForType({block.ln_1_weight, block.ln_1_bias, block.c_attn_weight,
                  block.c_attn_bias},
                 type);
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
    blocks_.push_back(Prepare(block, type));
  }
  SplitLastAttention(weights.blocks.back(), type);
  const NormedMatrix head = ForType(
      {weights.ln_f_weight, weights.ln_f_bias, weights.lm_head.t(), {}}, type);
  ln_f_weight_ = head.gain;
  ln_f_bias_ = head.shift;
  unembed_scale_ =
      at::where(weights.ln_f_weight.ne(0), head.gain.div(weights.ln_f_weight),
                at::ones_like(head.gain));
  lm_head_ = Linear(head.weight, head.bias, type);
}

Gpt2::Block Gpt2::Prepare(const Gpt2Block& block, WeightType type) {
  const NormedMatrix attention = AttentionInput(block, type);
  const NormedMatrix inner = ForType(
      {block.ln_2_weight, block.ln_2_bias, block.c_fc_weight, block.c_fc_bias},
      type);
  return {
      .ln_1_weight = attention.gain,
      .ln_1_bias = attention.shift,
      .c_attn = Linear(attention.weight, attention.bias, type),
      .attn_proj = Linear(block.attn_proj_weight, block.attn_proj_bias, type),
      .ln_2_weight = inner.gain,
      .ln_2_bias = inner.shift,
      .c_fc = Linear(inner.weight, inner.bias, type),
      .mlp_proj = Linear(block.mlp_proj_weight, block.mlp_proj_bias, type)};
}

void Gpt2::SplitLastAttention(const Gpt2Block& block, WeightType type) {
  const int64_t d = config_.d_model;
  std::optional<Linear> queries = blocks_.back().c_attn.Columns(0, d);
  std::optional<Linear> keys_values = blocks_.back().c_attn.Columns(d, 2 * d);
  if (queries.has_value() && keys_values.has_value()) {
    last_queries_ = *std::move(queries);
    last_keys_values_ = *std::move(keys_values);
    return;
  }
  const NormedMatrix whole = AttentionInput(block, type);
  const auto columns = [&](int64_t first, int64_t count) {
    return Linear(whole.weight.narrow(1, first, count),
                  whole.bias.narrow(0, first, count), type);
  };
  last_queries_ = columns(0, d);
  last_keys_values_ = columns(d, 2 * d);
}

int64_t Gpt2::matrix_bytes() const {
  int64_t bytes = lm_head_.bytes();
  for (const Block& block : blocks_) {
    bytes += block.c_attn.bytes() + block.attn_proj.bytes() +
             block.c_fc.bytes() + block.mlp_proj.bytes();
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
  const at::Tensor inner = block.c_fc.ApplyActivated(
      Normalised(x, block.ln_2_weight, block.ln_2_bias, config_, block.c_fc),
      config_.activation);  // [N, I]
  AddPart(block.mlp_proj, inner, HookKind::kMlpOut, hook, x);
}

void Gpt2::RunBlock(int layer, const Packing& packing, KvCache& cache,
                    const BlockHook* hook, at::Tensor& x) const {
  const Block& block = blocks_[layer];
  const at::Tensor qkv = block.c_attn.Apply(Normalised(
      x, block.ln_1_weight, block.ln_1_bias, config_, block.c_attn));  // [N,3D]
  const int64_t d = config_.d_model;
  StoreKeysValues(qkv.narrow(1, d, 2 * d), packing, cache,
                  AttentionOf(config_, layer), layer);
  FinishBlock(layer, qkv.narrow(1, 0, d), packing, cache, hook, x);
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
              /*hook=*/nullptr, x);
}

at::Tensor Gpt2::Unembed(const at::Tensor& x) const {
  at::NoGradGuard no_grad;
  if (config_.tie_word_embeddings) return x.matmul(wte_.t());
  const at::Tensor scaled = x.mul(unembed_scale_);
  const auto product = [&](const at::Tensor& of) {
    return lm_head_.Apply(of.to(lm_head_.input_type()).contiguous());
  };
  // What the head adds by itself: a balanced matrix has the norm's shift in it.
  return product(scaled).sub_(product(at::zeros_like(scaled)));
}

at::Tensor Gpt2::Logits(const at::Tensor& x) const {
  return lm_head_.Apply(
      Normalised(x, ln_f_weight_, ln_f_bias_, config_, lm_head_));
}

}  // namespace alignsae
