// Rotary positions, as GPT-NeoX has them: of each head of a query or key, the
// first R numbers are R/2 points in the plane, number i with number i + R/2,
// and each is turned by position * base^(-2 i / R).
//
// Letters in shapes: N tokens, T context length, R rotary dimensions, H heads,
// K head dimension.
//
// Thread-safety: const after construction.

#ifndef ALIGNSAE_MODEL_GPT_NEOX_ROTARY_H_
#define ALIGNSAE_MODEL_GPT_NEOX_ROTARY_H_

#include <ATen/ATen.h>

#include "model/gpt_neox/config.h"

namespace alignsae {

class Rotary {
 public:
  Rotary() = default;
  Rotary(const GptNeoXConfig& config, at::Device device);

  at::Device device() const { return cos_.device(); }

  // Turns `vectors` [N, H K] float32, whose rows may be parts of longer ones,
  // in place. positions [N] int64 on the same device, in [0, T).
  void Turn(const at::Tensor& positions, at::Tensor vectors) const;

 private:
  // Everywhere but on the CPU.
  void TurnPlain(const at::Tensor& positions, const at::Tensor& vectors) const;

  int heads_ = 0;
  int head_dim_ = 0;
  int64_t half_ = 0;      // R/2
  at::Tensor cos_, sin_;  // [T, R/2]
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT_NEOX_ROTARY_H_
