// Logits and draws that the sampler's tests share.

#ifndef ALIGNSAE_TESTS_SAMPLING_DRAWS_H_
#define ALIGNSAE_TESTS_SAMPLING_DRAWS_H_

#include <cstdint>
#include <vector>

#include "model/base/counter_rng.h"
#include "model/sampling/sampler.h"
#include "tests/support/status_matchers.h"

namespace alignsae {

// Roughly normal logits, as a function of `seed`.
inline std::vector<float> RandomLogits(size_t count, uint64_t seed) {
  CounterRng rng(seed);
  std::vector<float> logits(count);
  for (float& logit : logits) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += rng.NextUniform();
    logit = static_cast<float>(4 * sum);
  }
  return logits;
}

inline int32_t Sample(const std::vector<float>& logits,
                      const SamplingParams& params, int position = 0,
                      const std::vector<int32_t>& history = {},
                      int generated = 0) {
  const absl::StatusOr<SampledToken> sampled =
      SampleToken(logits, params, history, position, generated);
  EXPECT_OK(sampled);
  return sampled.ok() ? sampled->token : -1;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SAMPLING_DRAWS_H_
