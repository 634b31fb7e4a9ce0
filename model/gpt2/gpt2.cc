#include "model/gpt2/gpt2.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/layers.h"
#include "model/gpt2/packing.h"
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

// wte[token] + wpe[position] -> [N, D]
at::Tensor Embed(const Gpt2Weights& weights, absl::Span<const int32_t> tokens,
                 const Packing& packing) {
  const at::Tensor ids =
      at::tensor(at::ArrayRef<int32_t>(tokens.data(), tokens.size()), at::kLong)
          .to(weights.wte.device());  // [N]
  return weights.wte.index_select(0, ids) +
         weights.wpe.index_select(0, packing.positions);
}

// One block: x [N, D] -> [N, D]. Writes the tokens' keys and values.
at::Tensor RunBlock(const at::Tensor& x, const Packing& packing, int layer,
                    const Gpt2Config& config, const Gpt2Block& block,
                    KvCache& cache) {
  const at::Tensor qkv =
      Conv1D(LayerNorm(x, block.ln_1_weight, block.ln_1_bias,
                       config.layer_norm_epsilon),
             block.c_attn_weight, block.c_attn_bias);  // [N, 3D]
  const std::vector<at::Tensor> parts = qkv.split(config.d_model, 1);
  const std::vector<int64_t> by_head = {packing.tokens, config.n_head,
                                        config.head_dim()};
  cache.Write(layer, packing.slots, packing.positions, parts[1].view(by_head),
              parts[2].view(by_head));
  const at::Tensor context =
      PackedAttention(parts[0], packing, cache, config, layer);  // [N, D]
  // Sums are new tensors: a hook may keep the residual that it was shown.
  const at::Tensor attended =
      x + Conv1D(context, block.attn_proj_weight, block.attn_proj_bias);
  return attended + Mlp(attended, block, config);
}

// Removes the rows that leave after `site`'s hook.
void LeaveAt(int site, const Gpt2Config& config, at::Tensor& x,
             Packing& packing) {
  std::vector<PackedRow> staying;
  std::vector<int64_t> kept;  // Packed rows of those that stay.
  for (const PackedRow& row : packing.rows) {
    if (row.exit_site <= site && !row.logits) continue;
    staying.push_back(row);
    for (int i = 0; i < row.length; ++i) kept.push_back(row.offset + i);
  }
  if (staying.size() == packing.rows.size()) return;
  if (staying.empty()) {
    packing.rows.clear();
    return;
  }
  x = IndexSet(kept, x.device()).Take(x);
  packing = Pack(std::move(staying), config, x.device());
}

}  // namespace

absl::StatusOr<Gpt2> Gpt2::Load(const std::string& directory,
                                at::Device device) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string json,
      ReadFile(absl::StrCat(directory, "/config.json"), kMaxConfigBytes));
  ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2Config config, ParseGpt2Config(json));
  ALIGNSAE_ASSIGN_OR_RETURN(Gpt2Weights weights,
                            LoadGpt2Weights(directory, config));
  ALIGNSAE_RETURN_IF_ERROR(MoveTo(device, config.tie_word_embeddings, weights));
  return Gpt2(config, std::move(weights));
}

Gpt2::Gpt2(const Gpt2Config& config, Gpt2Weights weights)
    : config_(config), weights_(std::move(weights)) {}

at::Tensor Gpt2::Forward(absl::Span<const int32_t> tokens,
                         std::vector<PackedRow> rows, KvCache& cache,
                         ResidualHook* hook) const {
  // Not InferenceMode: callers edit the logits in place, outside of it.
  at::NoGradGuard no_grad;
  const at::Tensor none = at::empty({0, config_.vocab_size},
                                    weights_.wte.options().dtype(at::kFloat));
  if (rows.empty()) return none;
  cache.BeginStep(rows);
  Packing packing = Pack(std::move(rows), config_, device());
  at::Tensor x = Embed(weights_, tokens, packing);  // [N, D]
  for (int site = 0;; ++site) {
    if (hook != nullptr) hook->OnResidual(site, packing.rows, x);
    LeaveAt(site, config_, x, packing);
    if (packing.rows.empty()) return none;
    if (site == config_.n_layer) break;
    x = RunBlock(x, packing, site, config_, weights_.blocks[site], cache);
  }
  std::vector<int64_t> last;  // Only rows with `logits` are left.
  for (const PackedRow& row : packing.rows) {
    last.push_back(row.offset + row.length - 1);
  }
  const at::Tensor normed =
      LayerNorm(IndexSet(last, device()).Take(x), weights_.ln_f_weight,
                weights_.ln_f_bias, config_.layer_norm_epsilon);  // [R, D]
  return at::mm(normed, weights_.lm_head.t());
}

}  // namespace alignsae
