// The pieces of a block as functions of weights, shared by the serving forward
// pass (transformer.h) and the training one (model/train/lm/forward.h).
// All are differentiable: they use only ATen operations.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_LAYERS_H_
#define ALIGNSAE_MODEL_TRANSFORMER_LAYERS_H_

#include <ATen/ATen.h>

#include "model/transformer/activation.h"

namespace alignsae {

// x [..., D] -> [..., D].
at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias, double epsilon);
// The same without derivatives, by the kernels of the CPU; float32 -> `type`
// (float32 or bfloat16). x [N, D].
at::Tensor FastLayerNorm(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias, double epsilon,
                         at::ScalarType type);
at::Tensor Activate(const at::Tensor& x, Activation activation);
// x [N, in], weight [in, out], bias [out] -> [N, out].
at::Tensor Conv1D(const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias);
// q [B, H, Tq, K], k and v [B, H, Tk, K], mask [B or 1, 1, Tq, Tk] (additive, 0
// or -inf; undefined: none) -> [B, H, Tq, K].
at::Tensor Attention(const at::Tensor& q, const at::Tensor& k,
                     const at::Tensor& v, const at::Tensor& mask, double scale);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_LAYERS_H_
