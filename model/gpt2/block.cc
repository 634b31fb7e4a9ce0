#include "model/gpt2/block.h"

#include <cmath>

#include "model/transformer/layers.h"

namespace alignsae {

double AttentionScale(const Gpt2Config& config, int layer) {
  double scale = 1;
  if (config.scale_attn_weights) scale /= std::sqrt(config.head_dim());
  if (config.scale_attn_by_inverse_layer_idx) scale /= layer + 1;
  return scale;
}

AttentionShape AttentionOf(const Gpt2Config& config, int layer) {
  return {.n_head = config.n_head,
          .head_dim = config.head_dim(),
          .scale = AttentionScale(config, layer)};
}

at::Tensor Mlp(const at::Tensor& x, const Gpt2Block& block,
               const Gpt2Config& config) {
  const at::Tensor normed = LayerNorm(x, block.ln_2_weight, block.ln_2_bias,
                                      config.layer_norm_epsilon);  // [N, D]
  const at::Tensor inner =
      Activate(Conv1D(normed, block.c_fc_weight, block.c_fc_bias),
               config.activation);  // [N, I]
  return Conv1D(inner, block.mlp_proj_weight, block.mlp_proj_bias);
}

}  // namespace alignsae
