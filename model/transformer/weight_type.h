// The number type that weights are kept and multiplied in. Free of LibTorch.
//
//   f32   float32 weights, activations and KV cache: exact, the reference.
//   bf16  bfloat16 weights, matrix inputs and KV cache. Sums, the residual
//         stream, layer norm and softmax are float32.
//   int8  int8 weights with a scale for each output column; matrix inputs are
//         rounded to 8 bits with a scale for each row as they come; sums are
//         exact in int32. KV cache bfloat16, all else float32.
//
// The KV cache is bfloat16 beside int8 weights too: attention reads it with
// float32 arithmetic, and 8 bits there would save little of a cache that is
// small beside the weights (36 MiB for a full sequence of GPT-2 small).
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_WEIGHT_TYPE_H_
#define ALIGNSAE_MODEL_TRANSFORMER_WEIGHT_TYPE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

enum class WeightType { kF32, kBf16, kInt8 };

absl::string_view WeightTypeName(WeightType type);  // "f32", "bf16", "int8"
// INVALID_ARGUMENT for another name.
absl::StatusOr<WeightType> ParseWeightType(absl::string_view name);

// Why this machine cannot run `type` at speed; empty when it can. On "cpu",
// bf16 and int8 need AVX2 with FMA, which processors with AVX-512 have; another
// `device` runs f32 and bf16.
std::string WhyUnsupported(WeightType type, absl::string_view device);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_WEIGHT_TYPE_H_
