#include "model/gpt2/layers.h"

#include <cmath>

namespace alignsae {
namespace {

// x Phi(x) in the tanh form. Not at::gelu(x, "tanh"): that one computes what is
// left over behind whole vectors by another tanh, so that a number's last bit
// depends on where in the batch it lies, and equal arms would not be bit-equal.
at::Tensor GeluTanh(const at::Tensor& x) {
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
  constexpr double kCubic = 0.044715;
  const at::Tensor t =
      at::tanh((x * x * kCubic + 1.0) * x * kSqrtTwoOverPi);  // [N, I]
  return x * 0.5 * (t + 1.0);
}

at::Tensor Activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kGeluTanh:
      return GeluTanh(x);
    case Activation::kGeluErf:
      return at::gelu(x, "none");
    case Activation::kRelu:
      return at::relu(x);
  }
  return x;
}

}  // namespace

at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias, double epsilon) {
  return at::layer_norm(x, weight.sizes(), weight, bias, epsilon);
}

at::Tensor Conv1D(const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias) {
  return at::addmm(bias, x, weight);
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

double AttentionScale(const Gpt2Config& config, int layer) {
  double scale = 1;
  if (config.scale_attn_weights) scale /= std::sqrt(config.head_dim());
  if (config.scale_attn_by_inverse_layer_idx) scale /= layer + 1;
  return scale;
}

at::Tensor Attention(const at::Tensor& q, const at::Tensor& k,
                     const at::Tensor& v, const at::Tensor& mask,
                     double scale) {
  // Scaling q touches K numbers per query instead of Tk.
  at::Tensor scores =
      at::matmul(q * scale, k.transpose(-2, -1));  // [B, H, Tq, Tk]
  if (mask.defined()) scores = scores + mask;
  return at::matmul(at::softmax(scores, -1), v);
}

}  // namespace alignsae
