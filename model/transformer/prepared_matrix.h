// PreparedMatrix: weights in the layout and number type in which the CPU
// multiplies by them. Who does is the plan's choice (kernel_plan.h): oneDNN, or
// the kernels of our own (small_gemm.h), which read the same layout, but for
// those that are alone with theirs (narrow_layout.h).
//
// Letters in shapes: N rows, I inputs, O outputs.
//
// Thread-safety: const after construction. Throws what oneDNN and LibTorch
// throw.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_PREPARED_MATRIX_H_
#define ALIGNSAE_MODEL_TRANSFORMER_PREPARED_MATRIX_H_

#include <ATen/ATen.h>

#include <atomic>
#include <cstdint>
#include <dnnl.hpp>
#include <memory>
#include <string>

#include "model/kernels/small_gemm.h"
#include "model/transformer/kernel_plan.h"
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

  const MatrixShape& shape() const { return shape_; }
  WeightType type() const { return shape_.type; }
  int64_t outputs() const { return shape_.outputs; }
  int64_t bytes() const { return static_cast<int64_t>(memory_.nbytes()); }
  // Whether products of so many rows are finished by code of ours, which has
  // GELU in its tanh form only.
  bool IsOurs(int64_t rows) const {
    return type() == WeightType::kInt8 || PathFor(rows) != GemmPath::kOneDnn;
  }

  // Columns [first, first + count) as a matrix on the same memory; null unless
  // these are whole blocks of the layout that our kernels read.
  std::shared_ptr<const PreparedMatrix> Columns(int64_t first,
                                                int64_t count) const;

  // y = finish(x W + bias). x [N, I], contiguous: float32, or bfloat16 for such
  // weights. y [N, O]: float32, or bfloat16 behind an activation.
  void Multiply(const at::Tensor& x, const at::Tensor& bias, Finish finish,
                at::Tensor& y) const {
    MultiplyBy(PathFor(x.size(0)), x, bias, finish, y);
  }
  // Says that products by `next` follow those by this: its weights are fetched
  // early.
  void ComesBefore(const PreparedMatrix& next) const;
  // By `path`, which CanMultiplyBy: for measuring.
  void MultiplyBy(GemmPath path, const at::Tensor& x, const at::Tensor& bias,
                  Finish finish, at::Tensor& y) const;
  bool CanMultiplyBy(GemmPath path, int64_t rows) const;

 private:
  explicit PreparedMatrix(const MatrixShape& shape)
      : shape_(shape), plan_(&PlanOf(shape)) {}

  int64_t block_bytes() const;  // Of kColumnBlock columns.
  int64_t stored_inputs() const;
  // In the layout of narrow_layout.h.
  bool narrow() const { return HasNarrowLayout(type()); }
  // The layout that this machine asks for.
  void SetLayout(bool bias);
  std::string LayoutInWords() const;
  int64_t LayoutBytes() const;
  // The weights as int8 [I, O], with the scales and sums of their columns.
  at::Tensor Round(const at::Tensor& weight, const at::Tensor& row_scale);

  GemmPath PathFor(int64_t rows) const {
    const GemmPath path = plan_->PathFor(rows);
    return CanMultiplyBy(path, rows) ? path : GemmPath::kOneDnn;
  }
  // x [rows, I] as the kernel takes it.
  void MultiplyByOurs(GemmKernel kernel, const void* x, int64_t rows,
                      const at::Tensor& bias, const float* row_scales,
                      GemmFinish finish, at::Tensor& y) const;
  void MultiplyInt8(GemmPath path, const at::Tensor& x, const at::Tensor& bias,
                    GemmFinish finish, at::Tensor& y) const;
  // y = finish(int8 sums, scaled).
  void FinishSums(const at::Tensor& sums, const float* row_scales,
                  const at::Tensor& bias, GemmFinish finish,
                  at::Tensor& y) const;

  MatrixShape shape_;
  const KernelPlan* plan_;
  dnnl::memory::desc layout_;      // Of what is not narrow().
  bool in_kernel_layout_ = false;  // Whether kernels of our own can read it.
  at::Tensor memory_;              // Bytes of the weights.
  // What is read next, by ComesBefore: a wish that no result depends on.
  mutable std::atomic<const uint8_t*> next_{nullptr};
  mutable std::atomic<int64_t> next_block_bytes_{0}, next_blocks_{0};
  // Int8 only.
  at::Tensor column_scales_;  // [O] float32
  at::Tensor column_sums_;    // [O] int32
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_PREPARED_MATRIX_H_
