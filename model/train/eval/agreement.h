// How much a number type says what f32 says: the same model twice, fed the same
// tokens (teacher-forced, so that one difference does not become many).
//
// Thread-safety: one thread.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_AGREEMENT_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_AGREEMENT_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/sae/sae.h"
#include "model/transformer/transformer.h"

namespace alignsae {

// A prompt and what is fed after it.
struct ForcedText {
  std::vector<int32_t> prompt;  // Not empty.
  std::vector<int32_t> answer;
};

struct Agreement {
  int64_t positions = 0;  // From the last prompt token to the last but one fed.
  double top1 = 0;        // Share of positions with the same most likely token.
  double kl = 0;          // Mean KL(f32 || other), nats.
  // Positions where f32's most likely token is ahead by more than 0.1 (logits).
  int64_t clear_positions = 0;
  double clear_top1 = 0;  // Share of these with the same most likely token.
  int64_t prompts = 0;
  double readout = 0;  // Share of prompts with the same top concept; 0 without.
};

// `sae` may be null: no readout. Both models are on the CPU.
Agreement MeasureAgreement(const Transformer& reference,
                           const Transformer& other,
                           absl::Span<const ForcedText> texts, const Sae* sae);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_AGREEMENT_H_
