// The parts of which families put their blocks together, as they are served:
// weights prepared once for a number type.
//
// Letters in shapes: N rows, D d_model, O outputs.
//
// Thread-safety: const after construction. Throws what LibTorch throws.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_BLOCK_PARTS_H_
#define ALIGNSAE_MODEL_TRANSFORMER_BLOCK_PARTS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/transformer/balance.h"
#include "model/transformer/linear.h"
#include "model/transformer/prepared_parts.h"
#include "model/transformer/residual_hook.h"
#include "model/transformer/weight_type.h"

namespace alignsae {

// A layer norm and the matrix behind it; int8 balances the two (balance.h).
class NormedLinear {
 public:
  NormedLinear() = default;
  NormedLinear(const NormedMatrix& plain, double epsilon, WeightType type);
  // Of what Save has put, on the CPU.
  NormedLinear(const PreparedParts& parts, const std::string& name,
               double epsilon, WeightType type);
  void Save(const std::string& name, PreparedParts& parts) const;

  // x [N, D] float32 -> [N, D], what the matrix takes.
  at::Tensor Normalised(const at::Tensor& x) const;
  const Linear& matrix() const { return matrix_; }
  // x [N, D] -> [N, O] float32, both after each other.
  at::Tensor Apply(const at::Tensor& x) const {
    return matrix_.Apply(Normalised(x));
  }
  // x [N, D] -> [N, O] float32 by the matrix alone, without norm and bias. In
  // int8 without the channels that the norm's gain silences.
  at::Tensor MatrixOnly(const at::Tensor& x) const;

 private:
  at::Tensor gain_, shift_;  // [D], [D]
  double epsilon_ = 0;
  Linear matrix_;
  at::Tensor plain_scale_;  // [D]: x W = (x plain_scale_) of matrix_.
};

// The columns of `whole`, which was made of `plain`, in two: [0, first) and the
// others. On the memory of `whole` if that can be.
struct SplitLinear {
  Linear first, rest;
};
SplitLinear SplitColumns(const NormedLinear& whole, const NormedMatrix& plain,
                         int64_t first, WeightType type);
// The same of what SaveSplit has put, and how: nothing where the columns are on
// the memory of `whole`.
SplitLinear SplitColumns(const NormedLinear& whole, const PreparedParts& parts,
                         const std::string& name, int64_t first,
                         WeightType type);
void SaveSplit(const NormedLinear& whole, const SplitLinear& split,
               const std::string& name, int64_t first, PreparedParts& parts);

// The matrices of a block, of either family. I: d_inner.
struct BlockMatrices {
  NormedLinear attention;  // A norm, then D -> 3D (q, k, v)
  Linear dense;            // D -> D
  NormedLinear inner;      // A norm, then D -> I
  Linear out;              // I -> D
};
using Blocks = std::vector<std::shared_ptr<const BlockMatrices>>;

void SaveBlocks(const Blocks& blocks, PreparedParts& parts);
// Of what SaveBlocks has put.
Blocks TakeBlocks(const PreparedParts& parts, int count, double epsilon,
                  WeightType type);
// Appends those of all blocks, in order.
void AddMatrices(const Blocks& blocks, std::vector<const Linear*>& all);

// Adds to x [N, D] what `projection` makes of `input`, seen by `hook`, which
// may be null, on its way.
void AddPart(const Linear& projection, const at::Tensor& input, HookKind kind,
             const BlockHook* hook, at::Tensor& x);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_BLOCK_PARTS_H_
