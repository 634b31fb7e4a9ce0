// Chooses the next token from one row of logits, or says how likely a given one
// is.
//
// Order: penalties, bias and bans (adjust.h), temperature, top-k, top-p, draw.
// The draw is RandomUniform(seed, position), so it does not depend on the
// batch. Ties go to the lower id; greedy is the argmax of the adjusted logits.
//
// Thread-safety: pure function.
// Errors: OUT_OF_RANGE "logits: must be finite, got nan at token 17";
// INVALID_ARGUMENT for no logits at all. Settings outside the ranges of
// params.h are the parser's to refuse; here they are off.

#ifndef ALIGNSAE_MODEL_SAMPLING_SAMPLER_H_
#define ALIGNSAE_MODEL_SAMPLING_SAMPLER_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/sampling/params.h"

namespace alignsae {

// `logits` [V]; `history` are the ids so far, of which the last `generated`
// were generated (for the penalties; may be empty without); `position` is the
// absolute position that the new token will have.
absl::StatusOr<SampledToken> SampleToken(absl::Span<const float> logits,
                                         const SamplingParams& params,
                                         absl::Span<const int32_t> history,
                                         int position, int generated = 0);

// `token` after these logits, with the `n_logprobs` most likely ones.
absl::StatusOr<SampledToken> ScoreToken(absl::Span<const float> logits,
                                        int32_t token, int n_logprobs);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAMPLING_SAMPLER_H_
