#include "model/train/lm/forward.h"

#include <limits>

#include "model/gpt2/block.h"
#include "model/gpt2/gpt2.h"
#include "model/transformer/layers.h"

namespace alignsae {
namespace {

// x [B * T, D] -> [B * T, D]
at::Tensor SelfAttention(const Gpt2Config& config, const Gpt2Block& block,
                         int layer, const at::Tensor& x,
                         const at::Tensor& mask) {
  const int64_t length = mask.size(-1);
  const int64_t batch = x.size(0) / length;
  const std::vector<at::Tensor> qkv =  // 3 of [B, H, T, K]
      Conv1D(x, block.c_attn_weight, block.c_attn_bias)
          .view({batch, length, 3, config.n_head, config.head_dim()})
          .permute({2, 0, 3, 1, 4})
          .unbind(0);
  const at::Tensor mixed =
      Attention(qkv[0], qkv[1], qkv[2], mask, AttentionScale(config, layer));
  return Conv1D(mixed.transpose(1, 2).reshape({batch * length, config.d_model}),
                block.attn_proj_weight, block.attn_proj_bias);
}

}  // namespace

at::Tensor LmResidual(const Gpt2Config& config, const Gpt2Weights& weights,
                      const at::Tensor& ids) {
  const int64_t batch = ids.size(0);
  const int64_t length = ids.size(1);
  const at::Tensor positions = weights.wpe.narrow(0, 0, length);  // [T, D]
  at::Tensor x = (at::embedding(weights.wte, ids) + positions)
                     .view({batch * length, config.d_model});
  const at::Tensor mask =  // [1, 1, T, T]
      at::full({1, 1, length, length}, -std::numeric_limits<float>::infinity(),
               weights.wte.options().requires_grad(false))
          .triu(1);
  for (int layer = 0; layer < config.n_layer; ++layer) {
    const Gpt2Block& block = weights.blocks[layer];
    x = x + SelfAttention(config, block, layer,
                          LayerNorm(x, block.ln_1_weight, block.ln_1_bias,
                                    config.layer_norm_epsilon),
                          mask);
    x = x + Mlp(x, block, config);
  }
  return x;
}

at::Tensor LmLoss(const Gpt2Config& config, const Gpt2Weights& weights,
                  const LmBatch& batch) {
  const at::Tensor x =  // [M, D]
      LmResidual(config, weights, batch.ids).index_select(0, batch.rows);
  const at::Tensor hidden = LayerNorm(x, weights.ln_f_weight, weights.ln_f_bias,
                                      config.layer_norm_epsilon);
  const at::Tensor logits = at::matmul(hidden, weights.lm_head.t());  // [M, V]
  return at::nll_loss(at::log_softmax(logits, -1), batch.labels);
}

}  // namespace alignsae
