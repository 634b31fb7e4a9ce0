// Reading the weights of a family's files, tensor by tensor: what all families
// ask of a tensor, and how they speak of one that is not as it must be.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT (a missing, extra or mis-shaped tensor) and
// DATA_LOSS (a number that is not finite), "<path>: tensor <name>: <rule>".

#ifndef ALIGNSAE_MODEL_TRANSFORMER_WEIGHT_READER_H_
#define ALIGNSAE_MODEL_TRANSFORMER_WEIGHT_READER_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/io/weight_files.h"

namespace alignsae {

// `path`: the file that has the tensor, or that should name it.
absl::Status TensorError(
    const std::string& path, absl::string_view name, absl::string_view rule,
    absl::StatusCode code = absl::StatusCode::kInvalidArgument);

// A tensor that is in one of the files, as float32 on the CPU. `shape` is what
// it must have.
absl::StatusOr<at::Tensor> ReadFinite(const WeightFiles& files,
                                      const std::string& name,
                                      const std::vector<int64_t>& shape);

// The files hold nothing but `known`; `family` is for the message: "GPT-2".
absl::Status CheckNoOthers(const WeightFiles& files,
                           const std::set<std::string>& known,
                           absl::string_view family);

// Where a head is tied to the embedding `embedding` (of name `tied_to`) and yet
// lies in a file: it must be the same. OK where it does not.
absl::Status CheckTiedHead(const WeightFiles& files, const std::string& head,
                           absl::string_view tied_to,
                           const at::Tensor& embedding);

// Of what was checked when the model was loaded: only a file that changed since
// is an error, and that throws.
template <typename T>
T ValueOrThrow(absl::StatusOr<T> read) {
  if (!read.ok()) throw std::runtime_error(read.status().ToString());
  return *std::move(read);
}

// A matrix [V, D] that stays in its file, which must outlive it; what is read
// of it is float32. Throws where the file cannot be read any more.
class TableFile {
 public:
  TableFile(const SafetensorsFile& file, std::string name,
            std::vector<int64_t> shape)
      : file_(file), name_(std::move(name)), shape_(std::move(shape)) {}

  at::Tensor Rows(const at::Tensor& ids) const;  // ids [n] -> [n, D]
  // x [N, D] -> [N, V], its product with every row.
  at::Tensor Times(const at::Tensor& x) const;

 private:
  const SafetensorsFile& file_;
  const std::string name_;
  const std::vector<int64_t> shape_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_WEIGHT_READER_H_
