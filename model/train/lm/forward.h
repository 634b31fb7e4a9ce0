// GPT-2's forward pass for training: whole padded sequences under a causal
// mask, composed from the same layers as the serving pass, with gradients.
//
// Letters in shapes: B examples, T tokens, M labelled positions, D d_model,
// V vocabulary.
//
// Thread-safety: pure functions of their arguments. They throw what LibTorch
// throws: call them inside WithTorchFence.

#ifndef ALIGNSAE_MODEL_TRAIN_LM_FORWARD_H_
#define ALIGNSAE_MODEL_TRAIN_LM_FORWARD_H_

#include <ATen/ATen.h>

#include "model/gpt2/config.h"
#include "model/gpt2/weights.h"
#include "model/train/lm/data.h"

namespace alignsae {

// ids [B, T] -> residual stream after the last block [B * T, D], before ln_f.
at::Tensor LmResidual(const Gpt2Config& config, const Gpt2Weights& weights,
                      const at::Tensor& ids);

// Mean cross-entropy of the labelled positions, in nats. Only these meet ln_f
// and the head: an answer is a fifth of its prompt.
at::Tensor LmLoss(const Gpt2Config& config, const Gpt2Weights& weights,
                  const LmBatch& batch);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_FORWARD_H_
