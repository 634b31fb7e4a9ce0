// Linear: y = x W + b with weights prepared once for the machine.
//
// On the CPU, oneDNN multiplies: weights are reordered at construction into the
// blocked layout that it asks for, in memory of LibTorch's, and one primitive
// is made for each number of rows that occurs. Bias, activation and the add
// into the residual stream are its post-operations; int8 has an epilogue of our
// own (model/kernels), and kernels of our own take what they are faster at
// (kernel_plan.h). On other devices LibTorch multiplies.
//
// A row's result does not depend on its place among the rows of one call (it
// may in its last bits depend on how many there are).
//
// Letters in shapes: N rows, I inputs, O outputs.
//
// Thread-safety: const after construction. Throws what oneDNN and LibTorch
// throw.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_LINEAR_H_
#define ALIGNSAE_MODEL_TRANSFORMER_LINEAR_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "model/transformer/activation.h"
#include "model/transformer/weight_type.h"

namespace alignsae {

class PreparedMatrix;  // prepared_matrix.h
class PreparedParts;   // prepared_parts.h

class Linear {
 public:
  Linear() = default;
  // weight [I, O] float32 of any strides; bias [O] float32 or undefined. They
  // are copied on the CPU; on other devices, where type must be kF32 or kBf16,
  // float32 ones are kept. A product in bfloat16 is rounded to it there. Rows
  // of `weight` are multiplied by `row_scale` [I] (balance.h), for int8 alone.
  Linear(const at::Tensor& weight, const at::Tensor& bias, WeightType type,
         const at::Tensor& row_scale = {});

  // Of what Save has put, on the CPU.
  Linear(const PreparedParts& parts, const std::string& name, WeightType type);
  void Save(const std::string& name, PreparedParts& parts) const;

  // What x must be: float32, or bfloat16 when the weights are.
  at::ScalarType input_type() const;

  // x [N, I] -> [N, O] float32.
  at::Tensor Apply(const at::Tensor& x) const;
  // activation(x W + b) -> [N, O] of input_type(), for a Linear of the same
  // type to take.
  at::Tensor ApplyActivated(const at::Tensor& x, Activation activation) const;
  // sum [N, O] float32 += x W + b.
  void AddTo(const at::Tensor& x, at::Tensor& sum) const;

  // The same for columns [first, first + count) only, without a second copy of
  // their weights; empty where the layout does not allow that.
  std::optional<Linear> Columns(int64_t first, int64_t count) const;

  int64_t outputs() const;
  // Memory of the prepared weights: what one multiplication reads.
  int64_t bytes() const;
  // On the CPU; null elsewhere.
  const PreparedMatrix* prepared() const { return packed_.get(); }

 private:
  // The product on other devices than the CPU, of the weights' type.
  at::Tensor Plain(const at::Tensor& x) const;

  at::Tensor weight_;  // Not on the CPU.
  at::Tensor bias_;
  std::shared_ptr<const PreparedMatrix> packed_;  // On the CPU.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_LINEAR_H_
