// Safetensors to and from LibTorch tensors.
//
// Thread-safety: free functions.
// Errors: as safetensors.h; NOT_FOUND for a missing tensor, INVALID_ARGUMENT
// for a shape or dtype (other than F32, F16, BF16) that does not fit. All name
// the tensor.

#ifndef ALIGNSAE_MODEL_IO_TENSOR_FILE_H_
#define ALIGNSAE_MODEL_IO_TENSOR_FILE_H_

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/io/safetensors.h"

namespace alignsae {

// Reads one floating tensor as contiguous float32 on the CPU. `shape` is what
// the caller needs; another one is INVALID_ARGUMENT naming both.
absl::StatusOr<at::Tensor> ReadFloatTensor(const SafetensorsFile& file,
                                           const std::string& name,
                                           absl::Span<const int64_t> shape);

// Gathers `rows` of a [N, D] tensor without reading the others -> [rows, D].
absl::StatusOr<at::Tensor> ReadRows(const SafetensorsFile& file,
                                    const std::string& name,
                                    absl::Span<const int64_t> rows,
                                    absl::Span<const int64_t> shape);

// Gathers `columns` of a [D, N] tensor -> [D, columns]. Reads only the bytes of
// those columns: one read per row and run of neighbouring columns.
absl::StatusOr<at::Tensor> ReadColumns(const SafetensorsFile& file,
                                       const std::string& name,
                                       absl::Span<const int64_t> columns,
                                       absl::Span<const int64_t> shape);

// Writes tensors in their own dtype, atomically.
absl::Status WriteTensors(
    const std::string& path,
    const std::vector<std::pair<std::string, at::Tensor>>& tensors,
    const std::map<std::string, std::string>& metadata);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_IO_TENSOR_FILE_H_
