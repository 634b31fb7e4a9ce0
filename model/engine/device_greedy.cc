#include "model/engine/device_greedy.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace alignsae {

bool IsPlainGreedy(const SamplingParams& params) {
  return params.temperature <= 0 && !params.needs_history() &&
         params.logit_bias == nullptr && params.banned.empty() &&
         params.n_logprobs == 0;
}

std::vector<absl::StatusOr<SampledToken>> GreedyOnDevice(
    const at::Tensor& logits) {
  const auto [best, token] = logits.max(1);  // [R], the first of the largest
  // Of the token, against all: -log sum exp(logit - best). Not finite where a
  // logit is +inf or NaN; a logit of -inf is told by the smallest.
  const at::Tensor logprob =
      (logits - best.unsqueeze(1)).exp().sum(1).log().neg();
  const at::Tensor finite =
      logits.amin(1).isfinite().logical_and(logprob.isfinite());
  // One transfer. A token is far below 2^53.
  const at::Tensor host =
      at::stack({token.to(at::kDouble), logprob.to(at::kDouble),
                 finite.to(at::kDouble)},
                1)
          .to(at::kCPU)
          .contiguous();  // [R, 3]
  std::vector<absl::StatusOr<SampledToken>> sampled;
  for (int64_t i = 0; i < host.size(0); ++i) {
    const double* row = host.data_ptr<double>() + 3 * i;
    if (row[2] == 0) {
      sampled.emplace_back(absl::OutOfRangeError(absl::StrCat(
          "logits: must be finite, got another value in row ", i)));
      continue;
    }
    sampled.emplace_back(SampledToken{.token = static_cast<int32_t>(row[0]),
                                      .logprob = static_cast<float>(row[1]),
                                      .top = {}});
  }
  return sampled;
}

}  // namespace alignsae
