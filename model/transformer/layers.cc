#include "model/transformer/layers.h"

#include <ATen/Parallel.h>

#include <numbers>

#include "model/kernels/kernels.h"

namespace alignsae {
namespace {

// Rows that one thread takes at least.
constexpr int64_t kRowsPerTask = 4;

// On the CPU, the activations are put together from erf and tanh. LibTorch's
// own (at::gelu, at::silu) compute what is left over behind whole vectors by
// other functions, so that a number's last bit would depend on where in the
// batch it lies, and equal arms would not be bit-equal. A GPU computes each
// number alike.

// x Phi(x) in the tanh form.
at::Tensor GeluTanh(const at::Tensor& x) {
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
  constexpr double kCubic = 0.044715;
  const at::Tensor t =
      at::tanh((x * x * kCubic + 1.0) * x * kSqrtTwoOverPi);  // [N, I]
  return x * 0.5 * (t + 1.0);
}

// x sigmoid(slope x). By tanh, which does not overflow: the derivative of a
// quotient by an infinite exponential would be no number.
at::Tensor TimesSigmoid(const at::Tensor& x, double slope) {
  return x * 0.5 * (at::tanh(x * (slope / 2)) + 1.0);
}

}  // namespace

at::Tensor Activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kGeluTanh:
      return x.is_cuda() ? at::gelu(x, "tanh") : GeluTanh(x);
    case Activation::kGeluErf:
      if (x.is_cuda()) return at::gelu(x, "none");
      return x * 0.5 * (at::erf(x * std::numbers::sqrt2 / 2) + 1.0);
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kSilu:
      return TimesSigmoid(x, 1);
    case Activation::kQuickGelu:
      return TimesSigmoid(x, kQuickGeluSlope);
    case Activation::kTanh:
      return at::tanh(x);
  }
  return x;
}

at::Tensor LayerNorm(const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias, double epsilon) {
  return at::layer_norm(x, weight.sizes(), weight, bias, epsilon);
}

at::Tensor FastLayerNorm(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias, double epsilon,
                         at::ScalarType type) {
  if (!x.is_cpu()) return LayerNorm(x, weight, bias, epsilon).to(type);
  const int64_t width = x.size(1);
  at::Tensor y = at::empty(x.sizes(), type);
  const float* in = x.data_ptr<float>();
  const float* w = weight.data_ptr<float>();
  const float* b = bias.data_ptr<float>();
  const float eps = static_cast<float>(epsilon);
  at::parallel_for(0, x.size(0), kRowsPerTask, [&](int64_t begin, int64_t end) {
    if (type == at::kBFloat16) {
      Bf16* out = reinterpret_cast<Bf16*>(y.data_ptr<at::BFloat16>());
      CpuKernels().layer_norm_bf16(in + begin * width, end - begin, width, w, b,
                                   eps, out + begin * width);
    } else {
      CpuKernels().layer_norm_f32(in + begin * width, end - begin, width, w, b,
                                  eps, y.data_ptr<float>() + begin * width);
    }
  });
  return y;
}

at::Tensor Conv1D(const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias) {
  return at::addmm(bias, x, weight);
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
