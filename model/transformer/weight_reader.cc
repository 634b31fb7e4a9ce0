#include "model/transformer/weight_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/io/tensor_file.h"

namespace alignsae {
namespace {

// "[row, column]" of the `flat`-th value.
std::string IndexText(int64_t flat, at::IntArrayRef shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    index[i] = flat % shape[i];
    flat /= shape[i];
  }
  return absl::StrCat("[", absl::StrJoin(index, ", "), "]");
}

// In pieces: at::isfinite makes a copy of what it looks at.
absl::Status CheckFinite(const SafetensorsFile& file, absl::string_view name,
                         const at::Tensor& tensor) {
  constexpr int64_t kPiece = int64_t{1} << 20;
  const at::Tensor flat = tensor.flatten();
  for (int64_t begin = 0; begin < flat.numel(); begin += kPiece) {
    const at::Tensor piece =
        flat.narrow(0, begin, std::min(kPiece, flat.numel() - begin));
    const at::Tensor finite = at::isfinite(piece);
    if (finite.all().item<bool>()) continue;
    const int64_t first = finite.to(at::kByte).argmin().item<int64_t>();
    return TensorError(
        file.path(), name,
        absl::StrCat("must be finite, got ", piece[first].item<float>(), " at ",
                     IndexText(begin + first, tensor.sizes())),
        absl::StatusCode::kDataLoss);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status TensorError(const std::string& path, absl::string_view name,
                         absl::string_view rule, absl::StatusCode code) {
  return absl::Status(
      code, absl::StrCat(path, ": tensor ", Quoted(name), ": ", rule));
}

absl::StatusOr<at::Tensor> ReadFinite(const WeightFiles& files,
                                      const std::string& name,
                                      const std::vector<int64_t>& shape) {
  const SafetensorsFile& file = *files.FileWith(name);
  ALIGNSAE_ASSIGN_OR_RETURN(at::Tensor tensor,
                            ReadFloatTensor(file, name, shape));
  ALIGNSAE_RETURN_IF_ERROR(CheckFinite(file, name, tensor));
  return tensor;
}

absl::Status CheckNoOthers(const WeightFiles& files,
                           const std::set<std::string>& known,
                           absl::string_view family) {
  for (const SafetensorsFile& file : files.files()) {
    for (const auto& [name, entry] : file.header().tensors) {
      if (known.contains(name)) continue;
      return TensorError(file.path(), name,
                         absl::StrCat("must not be in the file: a ", family,
                                      " of this config.json has no such "
                                      "tensor"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTiedHead(const WeightFiles& files, const std::string& head,
                           absl::string_view tied_to,
                           const at::Tensor& embedding) {
  const SafetensorsFile* file = files.FileWith(head);
  if (file == nullptr) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor stored,
                            ReadFinite(files, head, embedding.sizes().vec()));
  if (at::equal(stored, embedding)) return absl::OkStatus();
  return TensorError(
      file->path(), head,
      absl::StrCat("must equal ", tied_to,
                   " when config.json's tie_word_embeddings is true, got other "
                   "values"));
}

at::Tensor TableFile::Rows(const at::Tensor& ids) const {
  const at::Tensor rows = ids.to(at::kCPU).contiguous();
  const int64_t* first = rows.data_ptr<int64_t>();
  return ValueOrThrow(
      ReadRows(file_, name_, absl::MakeConstSpan(first, rows.numel()), shape_));
}

at::Tensor TableFile::Times(const at::Tensor& x) const {
  constexpr int64_t kRowsAtOnce = 2048;
  at::Tensor product = at::empty({x.size(0), shape_[0]}, at::kFloat);
  for (int64_t first = 0; first < shape_[0]; first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, shape_[0] - first);
    const at::Tensor rows = Rows(at::arange(first, first + count, at::kLong));
    product.narrow(1, first, count).copy_(at::mm(x, rows.t()));
  }
  return product;
}

}  // namespace alignsae
