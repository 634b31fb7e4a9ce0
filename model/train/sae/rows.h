// Residuals of many rows, looked at a part at a time: they may be more than the
// memory holds (common/mapped_tensor.h). Up to kPartRows rows are one part, and
// the results then those of the whole at once, bit by bit.
//
// Letters: N rows, D d_model.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_ROWS_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_ROWS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>

namespace alignsae {

inline constexpr int64_t kPartRows = 1 << 16;

// Calls `see` with parts of `rows` [N, ...], in order; N is at least 1.
void ForEachPart(const at::Tensor& rows,
                 const std::function<void(const at::Tensor& part)>& see);

// What `make` makes of each part, one below the other.
at::Tensor InParts(
    const at::Tensor& rows,
    const std::function<at::Tensor(const at::Tensor& part)>& make);

// Mean L2 norm of the rows: the s of the contracts. residuals [N, D].
double MeanNorm(const at::Tensor& residuals);

bool AllFinite(const at::Tensor& residuals);

// Mean of the rows divided by `scale`: [D] float32.
at::Tensor MeanRow(const at::Tensor& residuals, double scale);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_ROWS_H_
