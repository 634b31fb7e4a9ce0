// Greedy tokens chosen where the logits lie: bringing a vocabulary of 50,000 to
// the host for each row takes longer than the step that made it.
//
// Thread-safety: pure functions.
// Errors: OUT_OF_RANGE for logits that are not finite, as SampleToken.

#ifndef ALIGNSAE_MODEL_ENGINE_DEVICE_GREEDY_H_
#define ALIGNSAE_MODEL_ENGINE_DEVICE_GREEDY_H_

#include <ATen/ATen.h>

#include <vector>

#include "absl/status/statusor.h"
#include "model/sampling/params.h"

namespace alignsae {

// Whether a row needs the largest logit and its probability alone.
bool IsPlainGreedy(const SamplingParams& params);

// As SampleToken for such rows; the log probability agrees within float32's
// rounding. logits [R, V] -> R.
std::vector<absl::StatusOr<SampledToken>> GreedyOnDevice(
    const at::Tensor& logits);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_DEVICE_GREEDY_H_
