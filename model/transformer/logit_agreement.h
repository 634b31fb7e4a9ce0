// How far two models' logits at the same positions say the same.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_LOGIT_AGREEMENT_H_
#define ALIGNSAE_MODEL_TRANSFORMER_LOGIT_AGREEMENT_H_

#include <ATen/ATen.h>

#include <cstdint>

namespace alignsae {

struct LogitAgreement {
  int64_t positions = 0;
  double same = 0;        // With the same most likely token.
  double kl = 0;          // Sum of KL(reference || other), nats.
  double clear = 0;       // Where the reference's lead is above kClearMargin.
  double clear_same = 0;  // Of these with the same most likely token.

  static constexpr double kClearMargin = 0.1;  // Of the logits.

  // Logits [P, V] of the same positions.
  void Add(const at::Tensor& reference, const at::Tensor& other);
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_LOGIT_AGREEMENT_H_
