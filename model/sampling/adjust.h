// What is done to logits before a token is chosen, in this order:
//
//   repetition penalty r   l > 0: l / r, else l * r, of every token in the
//                          prompt or the answer, however often (CTRL, Keskar et
//                          al. 2019, arXiv 1909.05858, section 4.1; both signs
//                          as Hugging Face's library does it)
//   frequency f, presence p
//                          l - c f - [c > 0] p, where c is how often the token
//                          was generated; the prompt does not count (OpenAI's
//                          API reference)
//   bias b                 l + b
//   banned                 the lowest float
//
// Computed in double precision and cut to finite floats.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_SAMPLING_ADJUST_H_
#define ALIGNSAE_MODEL_SAMPLING_ADJUST_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "model/sampling/params.h"

namespace alignsae {

// The largest score and log-probability, and with a minus the smallest: what
// an answer gives is finite.
inline constexpr double kMaxFloat = std::numeric_limits<float>::max();

// Whether Adjust changes any logits.
bool Adjusts(const SamplingParams& params);

// `history` are the ids so far, of which the last `generated` were generated.
// Ids outside of the vocabulary are ignored.
std::vector<float> Adjust(absl::Span<const float> logits,
                          const SamplingParams& params,
                          absl::Span<const int32_t> history, int generated);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAMPLING_ADJUST_H_
