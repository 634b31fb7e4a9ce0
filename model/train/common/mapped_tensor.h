// A tensor whose numbers lie in a file: pages of it that nobody needs leave the
// memory. The file has no name; it goes with the tensor, also when the process
// is killed.
//
// Thread-safety: as a tensor.
// Errors: RESOURCE_EXHAUSTED when the disk has no room for all of it, known
// before the first number is written; those of PosixError.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_MAPPED_TENSOR_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_MAPPED_TENSOR_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace alignsae {

// [rows, width] float32 zeros on the CPU, in a file in `directory`, which is
// made where it is missing. Both sizes are above 0.
absl::StatusOr<at::Tensor> MakeMappedTensor(const std::string& directory,
                                            int64_t rows, int64_t width);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_MAPPED_TENSOR_H_
