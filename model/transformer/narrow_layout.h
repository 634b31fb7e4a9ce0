// The layout of weights where AVX2 is what a processor has for their number
// type (HasNarrowLayout of kernel_plan.h).
//
// Letters in shapes: I inputs, O outputs.
//
// Thread-safety: free functions. Packing throws std::bad_alloc.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_NARROW_LAYOUT_H_
#define ALIGNSAE_MODEL_TRANSFORMER_NARROW_LAYOUT_H_

#include <ATen/ATen.h>

#include <cstdint>

#include "model/transformer/weight_type.h"

namespace alignsae {

// I, and the inputs of weight 0 behind them that make whole words.
int64_t NarrowInputs(WeightType type, int64_t inputs);

// weight [I, O] of any strides, int8 for kInt8 and else float32, as bytes of
// blocks; the columns are filled up with zeros to whole kColumnBlocks.
at::Tensor PackNarrow(const at::Tensor& weight, WeightType type);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_NARROW_LAYOUT_H_
