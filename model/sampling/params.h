// SamplingParams: how the next token is chosen. Free of LibTorch.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_SAMPLING_PARAMS_H_
#define ALIGNSAE_MODEL_SAMPLING_PARAMS_H_

#include <cstdint>
#include <memory>
#include <vector>

namespace alignsae {

struct TokenBias {
  int32_t token = 0;  // In [0, vocab_size).
  float bias = 0;     // [-100, 100], added to the token's logit.
};

struct SamplingParams {
  double temperature = 0;         // 0: greedy. [0, 100].
  int top_k = 0;                  // 0: off.
  double top_p = 1;               // (0, 1].
  double repetition_penalty = 1;  // (0, 10]; over prompt and generated (CTRL).
  // Of what was generated (OpenAI); [-2, 2], 0: off.
  double frequency_penalty = 0;
  double presence_penalty = 0;
  // Each token at most once; null: none. Shared by the steps of a sequence.
  std::shared_ptr<const std::vector<TokenBias>> logit_bias = nullptr;
  std::vector<int32_t> banned = {};  // Never chosen.
  uint64_t seed = 0;
  int n_logprobs = 0;  // [0, 20] most likely tokens reported.

  // Whether a penalty looks at the ids so far.
  bool needs_history() const {
    return repetition_penalty != 1 || frequency_penalty != 0 ||
           presence_penalty != 0;
  }
};

struct TokenLogprob {
  int32_t token = 0;
  float logprob = 0;  // Natural log of softmax of the raw logits, before
                      // temperature, penalties, bias and truncation.
};

// A token that was drawn, or a prompt's own.
struct SampledToken {
  int32_t token = 0;
  float logprob = 0;
  std::vector<TokenLogprob> top;  // n_logprobs entries, most likely first.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAMPLING_PARAMS_H_
