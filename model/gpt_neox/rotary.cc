#include "model/gpt_neox/rotary.h"

#include <ATen/Parallel.h>

namespace alignsae {
namespace {

// Tokens that one thread takes at least.
constexpr int64_t kTokensPerTask = 16;

// float32 throughout, as Hugging Face computes it: at position 2000 the last
// bit of an angle is 1e-4, so that a more exact angle would be another one.
at::Tensor Angles(const GptNeoXConfig& config, at::Device device) {
  const at::TensorOptions f32 = at::TensorOptions(device).dtype(at::kFloat);
  const at::Tensor powers =
      at::arange(0, config.rotary_dims, 2, f32) / config.rotary_dims;
  const at::Tensor rates =
      at::reciprocal(at::pow(config.rotary_base, powers));          // [R/2]
  return at::outer(at::arange(config.context_length, f32), rates);  // [T, R/2]
}

}  // namespace

Rotary::Rotary(const GptNeoXConfig& config, at::Device device)
    : heads_(config.n_head),
      head_dim_(config.head_dim()),
      half_(config.rotary_dims / 2) {
  const at::Tensor angles = Angles(config, device);
  cos_ = angles.cos();
  sin_ = angles.sin();
}

void Rotary::Turn(const at::Tensor& positions, at::Tensor vectors) const {
  if (!vectors.is_cpu()) return TurnPlain(positions, vectors);
  const int64_t* at = positions.data_ptr<int64_t>();
  float* data = vectors.data_ptr<float>();
  const int64_t stride = vectors.stride(0);
  const float* cosines = cos_.data_ptr<float>();
  const float* sines = sin_.data_ptr<float>();
  at::parallel_for(
      0, vectors.size(0), kTokensPerTask, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const float* c = cosines + at[i] * half_;
          const float* s = sines + at[i] * half_;
          for (int head = 0; head < heads_; ++head) {
            float* x = data + i * stride + int64_t{head} * head_dim_;
            float* y = x + half_;
            for (int64_t k = 0; k < half_; ++k) {
              const float turned = x[k] * c[k] - y[k] * s[k];
              y[k] = y[k] * c[k] + x[k] * s[k];
              x[k] = turned;
            }
          }
        }
      });
}

void Rotary::TurnPlain(const at::Tensor& positions,
                       const at::Tensor& vectors) const {
  const at::Tensor c = cos_.index_select(0, positions).unsqueeze(1);
  const at::Tensor s = sin_.index_select(0, positions).unsqueeze(1);
  const at::Tensor heads =
      vectors.unflatten(1, {heads_, head_dim_});       // [N, H, K]
  const at::Tensor x = heads.narrow(2, 0, half_);      // [N, H, R/2]
  const at::Tensor y = heads.narrow(2, half_, half_);  // [N, H, R/2]
  const at::Tensor turned = x * c - y * s;
  y.copy_(y * c + x * s);
  x.copy_(turned);
}

}  // namespace alignsae
