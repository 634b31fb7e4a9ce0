// Matrix products by oneDNN: one primitive for each shape, number type and what
// follows the product.
//
// Thread-safety: thread-safe; primitives and streams are kept for each thread,
// because a primitive's scratch memory is its own. Throws what oneDNN throws.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_ONEDNN_MATMUL_H_
#define ALIGNSAE_MODEL_TRANSFORMER_ONEDNN_MATMUL_H_

#include <ATen/ATen.h>

#include <compare>
#include <cstdint>
#include <dnnl.hpp>

#include "model/transformer/activation.h"
#include "model/transformer/weight_type.h"

namespace alignsae {

// What follows a product, as oneDNN's post-operations.
enum class Finish {
  kNone,
  kAdd,
  kGeluTanh,
  kGeluErf,
  kRelu,
  kSilu,
  kQuickGelu,
  kTanh
};
Finish FinishOf(Activation activation);

// Number types of inputs and of weights; int8 products take unsigned inputs.
dnnl::memory::data_type SourceType(WeightType type);
dnnl::memory::data_type StoredType(WeightType type);

// Whether bfloat16 products run on AMX tiles.
bool OneDnnHasTiles();

// [rows, inputs] x [inputs, outputs].
struct Problem {
  int64_t rows = 0;
  int64_t inputs = 0;
  int64_t outputs = 0;
  WeightType type = WeightType::kF32;
  bool bias = false;
  Finish finish = Finish::kNone;

  auto operator<=>(const Problem&) const = default;

  // float32, that of the inputs behind an activation, or int32 sums for int8.
  dnnl::memory::data_type output_type() const;
};

// The layout of the weights that oneDNN asks for.
dnnl::memory::desc PreferredLayout(const Problem& problem);

// Copies `plain` (any strides) to `packed`, converting and reordering.
void Repack(const at::Tensor& plain, const dnnl::memory::desc& layout,
            const at::Tensor& packed);

// y = finish(x W + bias). bias may be undefined; it says problem.bias.
void MultiplyByOneDnn(const Problem& problem, const at::Tensor& x,
                      const dnnl::memory::desc& layout,
                      const at::Tensor& packed, const at::Tensor& bias,
                      at::Tensor& y);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_ONEDNN_MATMUL_H_
