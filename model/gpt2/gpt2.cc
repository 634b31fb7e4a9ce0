#include "model/gpt2/gpt2.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/attention.h"
#include "model/gpt2/layers.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

absl::Status MoveTo(at::Device device, bool tied, Gpt2Weights& weights) {
  return WithTorchFence([&] {
    for (auto& [name, tensor] : weights.Named()) *tensor = tensor->to(device);
    if (tied) weights.lm_head = weights.wte;
  });
}

// The indices of the packed rows of `rows`, as they lie in the present packing.
std::vector<int64_t> PackedIndices(absl::Span<const PackedRow> rows) {
  std::vector<int64_t> indices;
  for (const PackedRow& row : rows) {
    for (int i = 0; i < row.length; ++i) indices.push_back(row.offset + i);
  }
  return indices;
}

// Makes `rows`, which lie where their offsets say, the packing.
void Repack(std::vector<PackedRow> rows, at::Tensor& x, Packing& packing) {
  if (!rows.empty()) x = TakeRows(x, PackedIndices(rows));
  packing = Pack(std::move(rows));
}

// Takes the rows that continue others out of `rows`.
std::vector<PackedRow> TakeContinuing(std::vector<PackedRow>& rows) {
  std::vector<PackedRow> continuing;
  std::vector<PackedRow> starting;
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].place = static_cast<int>(i);
    (rows[i].continues >= 0 ? continuing : starting).push_back(rows[i]);
  }
  rows = std::move(starting);
  return continuing;
}

// Puts the rows that part at `site` in the place of their trunks, each with a
// copy of the trunk's residual.
void Join(int site, std::vector<PackedRow>& continuing, at::Tensor& x,
          Packing& packing) {
  std::vector<PackedRow> next;
  for (const PackedRow& row : packing.rows) {
    if (!(row.is_trunk && row.exit_site == site)) next.push_back(row);
  }
  std::vector<PackedRow> later;
  for (PackedRow& row : continuing) {
    if (row.fork.site != site) {
      later.push_back(row);
      continue;
    }
    const auto trunk = std::find_if(
        packing.rows.begin(), packing.rows.end(),
        [&](const PackedRow& other) { return other.place == row.continues; });
    row.offset = trunk->offset + row.start - trunk->start;
    next.push_back(row);
  }
  if (later.size() == continuing.size() && next.size() == packing.rows.size()) {
    return;
  }
  continuing = std::move(later);
  std::sort(
      next.begin(), next.end(),
      [](const PackedRow& a, const PackedRow& b) { return a.place < b.place; });
  Repack(std::move(next), x, packing);
}

// Removes the rows that leave after `site`'s hook.
void LeaveAt(int site, at::Tensor& x, Packing& packing) {
  std::vector<PackedRow> staying;
  for (const PackedRow& row : packing.rows) {
    if (row.exit_site > site || row.logits) staying.push_back(row);
  }
  if (staying.size() == packing.rows.size()) return;
  Repack(std::move(staying), x, packing);
}

int64_t CountLogits(const Packing& packing) {
  return std::count_if(packing.rows.begin(), packing.rows.end(),
                       [](const PackedRow& row) { return row.logits; });
}

// The last positions of the rows that want logits, as rows of one token.
std::vector<PackedRow> LastPositions(const Packing& packing) {
  std::vector<PackedRow> last;
  for (PackedRow row : packing.rows) {
    if (!row.logits) continue;
    row.offset += row.length - 1;
    row.start += row.length - 1;
    row.length = 1;
    last.push_back(row);
  }
  return last;
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
    : config_(config),
      type_(type),
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

void Gpt2::RunMlp(const Block& block, at::Tensor& x) const {
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
  StoreKeysValues(qkv.narrow(1, d, 2 * d), packing, cache, config_, layer);
  const at::Tensor context =
      CachedAttention(qkv.narrow(1, 0, d), packing, cache, config_, layer,
                      block.attn_proj.input_type());  // [N, D]
  block.attn_proj.AddTo(context, x);
  RunMlp(block, x);
}

void Gpt2::RunLastBlock(KvCache& cache, at::Tensor& x, Packing& packing) const {
  const Block& block = blocks_.back();
  const int layer = config_.n_layer - 1;
  at::Tensor normed =
      Normalised(x, block.ln_1_weight, block.ln_1_bias, config_, block.c_attn);
  StoreKeysValues(last_keys_values_.Apply(normed), packing, cache, config_,
                  layer);
  std::vector<PackedRow> last = LastPositions(packing);
  if (last.empty()) {
    packing = Packing();
    return;
  }
  normed = TakeRows(normed, PackedIndices(last));
  Repack(std::move(last), x, packing);
  const at::Tensor context =
      CachedAttention(last_queries_.Apply(normed), packing, cache, config_,
                      layer, block.attn_proj.input_type());  // [R, D]
  block.attn_proj.AddTo(context, x);
  RunMlp(block, x);
}

at::Tensor Gpt2::Forward(absl::Span<const int32_t> tokens,
                         std::vector<PackedRow> rows, KvCache& cache,
                         ResidualHook* hook) const {
  // Not InferenceMode: callers edit the logits in place, outside of it.
  at::NoGradGuard no_grad;
  const at::Tensor none =
      at::empty({0, config_.vocab_size}, wte_.options().dtype(at::kFloat));
  std::vector<PackedRow> continuing = TakeContinuing(rows);
  if (rows.empty()) return none;
  Packing packing = Pack(std::move(rows));
  at::Tensor x = Embed(tokens, packing);  // [N, D]
  for (int site = 0;; ++site) {
    Join(site, continuing, x, packing);
    if (hook != nullptr) hook->OnResidual(site, packing.rows, x);
    LeaveAt(site, x, packing);
    if (packing.rows.empty()) return none;
    if (site == config_.n_layer) break;
    const bool nothing_behind =
        site == config_.n_layer - 1 && continuing.empty() &&
        (hook == nullptr || !hook->WantsSite(config_.n_layer));
    if (nothing_behind && CountLogits(packing) < packing.tokens) {
      RunLastBlock(cache, x, packing);
      if (packing.rows.empty()) return none;
      break;
    }
    RunBlock(site, packing, cache, x);
  }
  // Only rows with `logits` are left.
  if (CountLogits(packing) < packing.tokens) {
    Repack(LastPositions(packing), x, packing);
  }
  return lm_head_.Apply(
      Normalised(x, ln_f_weight_, ln_f_bias_, config_, lm_head_));  // [R, V]
}

}  // namespace alignsae
