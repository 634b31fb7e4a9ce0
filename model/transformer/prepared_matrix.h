// PreparedMatrix: weights in the layout and number type in which the CPU
// multiplies by them, and the choice of who does: oneDNN, or for a few rows the
// kernels of our own (small_gemm.h), which read the same layout.
//
// "A few" is up to 128: beyond that, weights stay in the caches long enough for
// oneDNN to be as fast. bfloat16 on a processor with AMX tiles, which oneDNN
// uses and our kernels do not: up to 8. There oneDNN has 0.5 to 0.9 of their
// speed at 1 to 4 rows and 2 times at 16, 4.5 times at 64. The choice is by
// what oneDNN says it runs on, not by timing at start, so that two starts on
// one machine compute the same.
//
// Letters in shapes: N rows, I inputs, O outputs.
//
// Thread-safety: const after construction. Throws what oneDNN and LibTorch
// throw.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_PREPARED_MATRIX_H_
#define ALIGNSAE_MODEL_TRANSFORMER_PREPARED_MATRIX_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <dnnl.hpp>
#include <memory>
#include <string>

#include "model/kernels/small_gemm.h"
#include "model/transformer/onednn_matmul.h"
#include "model/transformer/prepared_parts.h"
#include "model/transformer/weight_type.h"

namespace alignsae {

class PreparedMatrix {
 public:
  // weight [I, O] float32 of any strides; `bias`: whether products add one;
  // `row_scale` as Linear's. No second copy of the weights in float32 is made.
  PreparedMatrix(const at::Tensor& weight, bool bias, WeightType type,
                 const at::Tensor& row_scale = {});
  // Of what Save has put; throws where it is in another layout than this
  // machine asks for.
  PreparedMatrix(const PreparedParts& parts, const std::string& name, bool bias,
                 WeightType type);
  void Save(const std::string& name, PreparedParts& parts) const;

  WeightType type() const { return type_; }
  int64_t outputs() const { return outputs_; }
  int64_t bytes() const { return static_cast<int64_t>(memory_.nbytes()); }
  // Whether products of so many rows are finished by code of ours, which has
  // GELU in its tanh form only.
  bool IsOurs(int64_t rows) const {
    return type_ == WeightType::kInt8 || UsesSmallKernel(rows);
  }

  // Columns [first, first + count) as a matrix on the same memory; null unless
  // these are whole blocks of the layout that our kernels read.
  std::shared_ptr<const PreparedMatrix> Columns(int64_t first,
                                                int64_t count) const;

  // y = finish(x W + bias). x [N, I], contiguous: float32, or bfloat16 for such
  // weights. y [N, O]: float32, or bfloat16 behind an activation.
  void Multiply(const at::Tensor& x, const at::Tensor& bias, Finish finish,
                at::Tensor& y) const;

 private:
  PreparedMatrix() = default;

  // The layout, and who multiplies, by type and shape.
  void SetLayout(bool bias);

  // The weights as int8 [I, O], with the scales and sums of their columns.
  at::Tensor Round(const at::Tensor& weight, const at::Tensor& row_scale);

  // The kernel for a few rows; null where oneDNN chose another layout than the
  // kernels read, or the machine has none.
  GemmKernel FindSmallKernel() const;
  bool UsesSmallKernel(int64_t rows) const;
  void MultiplySmall(const at::Tensor& x, const at::Tensor& bias,
                     const float* row_scales, GemmFinish finish,
                     at::Tensor& y) const;
  void MultiplyInt8(const at::Tensor& x, const at::Tensor& bias,
                    GemmFinish finish, at::Tensor& y) const;

  WeightType type_ = WeightType::kF32;
  int64_t inputs_ = 0;
  int64_t outputs_ = 0;
  dnnl::memory::desc layout_;
  at::Tensor memory_;  // Bytes of the weights in `layout_`.
  // Int8 only.
  at::Tensor column_scales_;  // [O] float32
  at::Tensor column_sums_;    // [O] int32
  GemmKernel small_kernel_ = nullptr;
  int64_t max_small_rows_ = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_PREPARED_MATRIX_H_
