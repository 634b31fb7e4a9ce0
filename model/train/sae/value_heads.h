// Small networks that predict the answer's first token from one slot's scalar.
// They tie a slot's value to the answer while it trains and are not served.
//
// Letters: R concepts, H hidden units, V answer tokens (first tokens seen in
// training).
//
// Thread-safety: value type; free functions.
// Errors: those of writing a file.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_VALUE_HEADS_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_VALUE_HEADS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/train/common/checkpoint.h"

namespace alignsae {

// One head per concept: the scalar z_r -> H -> logits over the answer tokens.
struct ValueHeads {
  at::Tensor w1;  // [R, H]
  at::Tensor b1;  // [R, H]
  at::Tensor w2;  // [R, H, V]
  at::Tensor b2;  // [R, V]
  // Token id of each of the V outputs, rising.
  std::vector<int64_t> tokens;

  // "w1" to "b2", sharing storage.
  NamedTensors Tensors() const {
    return {{"w1", w1}, {"b1", b1}, {"w2", w2}, {"b2", b2}};
  }
};

// Heads for the tokens of `first_tokens` [N] int64 (-1: none), on its device.
// Normal(0, 1 / sqrt(fan in)) for the output layer; spread biases in the first
// one, so that a scalar input meets kinks at different places.
ValueHeads InitValueHeads(const at::Tensor& first_tokens, int64_t concepts,
                          int64_t hidden, uint64_t seed);

// value_heads.safetensors: w1 [R, H], b1 [R, H], w2 [R, H, V], b2 [R, V],
// tokens [V] (int64 ids). For training only; a server does not read it.
absl::Status SaveValueHeads(const std::string& path, const ValueHeads& heads);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_VALUE_HEADS_H_
