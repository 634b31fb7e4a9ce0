// SamplingParams: how the next token is chosen. Free of LibTorch.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_SAMPLING_PARAMS_H_
#define ALIGNSAE_MODEL_SAMPLING_PARAMS_H_

#include <cstdint>
#include <vector>

namespace alignsae {

struct SamplingParams {
  double temperature = 0;         // 0: greedy. [0, 100].
  int top_k = 0;                  // 0: off.
  double top_p = 1;               // (0, 1].
  double repetition_penalty = 1;  // (0, 10]; over prompt and generated (CTRL).
  uint64_t seed = 0;
  int n_logprobs = 0;  // [0, 20] most likely tokens reported.
};

struct TokenLogprob {
  int32_t token = 0;
  float logprob = 0;  // Natural log of softmax of the raw logits, before
                      // temperature, penalty and truncation.
};

struct SampledToken {
  int32_t token = 0;
  float logprob = 0;
  std::vector<TokenLogprob> top;  // n_logprobs entries, most likely first.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAMPLING_PARAMS_H_
