#include "model/engine/feature_reader.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "model/base/status_macros.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"

namespace alignsae {
namespace {

// Rows that are encoded at once, between looks at whether anybody still waits:
// at 100,006 features, 13 MB of values and some 10 GFLOP.
constexpr size_t kChunk = 32;

void ReadChunk(const Sae& sae, absl::Span<ConceptReading> readings, int top_k) {
  const int64_t rows = static_cast<int64_t>(readings.size());
  const int64_t width = static_cast<int64_t>(readings[0].residual.size());
  at::Tensor given = at::empty({rows, width}, at::kFloat);
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(readings[i].residual.data(), width,
                given.data_ptr<float>() + i * width);
  }
  const at::Tensor h = given.to(sae.weights().w_enc.device());  // [n, D]
  const at::Tensor z = sae.Encode(h);                           // [n, F]
  const at::Tensor error =
      ToCpu((sae.Decode(z) - h).norm(2, {1}) / h.norm(2, {1}).clamp_min(1e-30));
  const at::Tensor l0 = z.ne(0).sum(1).to(at::kCPU).contiguous();
  const int64_t most = std::min<int64_t>(top_k, z.size(1));
  auto [top_values, top_features] = z.topk(most, 1, /*largest=*/true,
                                           /*sorted=*/true);
  const at::Tensor values = ToCpu(top_values);
  const at::Tensor features = top_features.to(at::kCPU).contiguous();
  for (int64_t i = 0; i < rows; ++i) {
    ConceptReading& reading = readings[i];
    reading.reconstruction_error = error.data_ptr<float>()[i];
    reading.l0 = static_cast<int>(l0.data_ptr<int64_t>()[i]);
    reading.top_features.clear();
    for (int64_t k = 0; k < most; ++k) {
      const float value = values.data_ptr<float>()[i * most + k];
      if (value == 0) break;
      reading.top_features.push_back(
          {static_cast<int>(features.data_ptr<int64_t>()[i * most + k]),
           value});
    }
  }
}

}  // namespace

absl::Status ReadFeaturesOf(const Sae& sae, absl::Span<ConceptReading> readings,
                            int top_k, const WhyStop& why_stop) {
  at::NoGradGuard no_grad;
  ComputeAlone();  // The step thread keeps the others.
  for (size_t begin = 0; begin < readings.size(); begin += kChunk) {
    ALIGNSAE_RETURN_IF_ERROR(why_stop());
    ReadChunk(sae, readings.subspan(begin, kChunk), top_k);
  }
  return absl::OkStatus();
}

}  // namespace alignsae
