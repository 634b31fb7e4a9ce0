// What is GPT-2's own in a block: how attention is scaled and how the MLP is
// put together, for the serving forward pass and the training one.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_GPT2_BLOCK_H_
#define ALIGNSAE_MODEL_GPT2_BLOCK_H_

#include <ATen/ATen.h>

#include "model/gpt2/config.h"
#include "model/gpt2/weights.h"
#include "model/transformer/attention.h"

namespace alignsae {

// Scale of attention scores at `layer`, as both switches of the configuration
// ask.
double AttentionScale(const Gpt2Config& config, int layer);
AttentionShape AttentionOf(const Gpt2Config& config, int layer);

// ln_2, c_fc, activation, c_proj; x [N, D] -> [N, D], without the residual add.
// Differentiable.
at::Tensor Mlp(const at::Tensor& x, const Gpt2Block& block,
               const Gpt2Config& config);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_BLOCK_H_
