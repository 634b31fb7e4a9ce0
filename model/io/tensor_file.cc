#include "model/io/tensor_file.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

std::string ShapeText(absl::Span<const int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::Status TensorError(const SafetensorsFile& file, const std::string& name,
                         absl::StatusCode code, absl::string_view rule) {
  return absl::Status(
      code, absl::StrCat(file.path(), ": tensor ", Quoted(name), ": ", rule));
}

// The entry of `name`, with the shape and a dtype that its reader can take.
absl::StatusOr<const TensorEntry*> FindFloat(const SafetensorsFile& file,
                                             const std::string& name,
                                             absl::Span<const int64_t> shape) {
  const TensorEntry* entry = file.Find(name);
  if (entry == nullptr) {
    return TensorError(file, name, absl::StatusCode::kNotFound,
                       "must be in the file");
  }
  if (absl::MakeConstSpan(entry->shape) != shape) {
    return TensorError(file, name, absl::StatusCode::kInvalidArgument,
                       absl::StrCat("must have shape ", ShapeText(shape),
                                    ", got ", ShapeText(entry->shape)));
  }
  if (entry->dtype != DType::kF32 && entry->dtype != DType::kF16 &&
      entry->dtype != DType::kBF16) {
    return TensorError(file, name, absl::StatusCode::kInvalidArgument,
                       absl::StrCat("must have dtype F32, F16 or BF16, got ",
                                    DTypeName(entry->dtype)));
  }
  return entry;
}

at::ScalarType FloatType(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    default:
      return at::kFloat;
  }
}

// Memory for values as they are in the file. The file's ranges need not be
// aligned; this is.
absl::StatusOr<at::Tensor> Allocate(absl::Span<const int64_t> shape,
                                    DType dtype) {
  return WithTorchFence([&] {
    return at::empty(at::IntArrayRef(shape.data(), shape.size()),
                     at::TensorOptions().dtype(FloatType(dtype)));
  });
}

absl::StatusOr<at::Tensor> AsFloat(const at::Tensor& stored) {
  return WithTorchFence([&] { return stored.to(at::kFloat); });
}

absl::Span<char> BytesOf(const at::Tensor& tensor) {
  return absl::MakeSpan(static_cast<char*>(tensor.data_ptr()), tensor.nbytes());
}

absl::Status CheckIndices(const SafetensorsFile& file, const std::string& name,
                          absl::string_view what,
                          absl::Span<const int64_t> indices, int64_t size) {
  for (const int64_t index : indices) {
    if (index < 0 || index >= size) {
      return TensorError(
          file, name, absl::StatusCode::kInvalidArgument,
          absl::StrCat(what, ": must be in [0, ", size, "), got ", index));
    }
  }
  return absl::OkStatus();
}

// Neighbours in the file that are read together.
struct Run {
  int64_t first = 0;  // In the file.
  int64_t count = 0;
};

std::vector<int64_t> SortedDistinct(absl::Span<const int64_t> indices) {
  std::vector<int64_t> sorted(indices.begin(), indices.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

std::vector<Run> RunsOf(absl::Span<const int64_t> sorted_distinct) {
  std::vector<Run> runs;
  for (const int64_t index : sorted_distinct) {
    if (!runs.empty() && runs.back().first + runs.back().count == index) {
      ++runs.back().count;
    } else {
      runs.push_back({.first = index, .count = 1});
    }
  }
  return runs;
}

absl::StatusOr<DType> FileDType(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return DType::kF32;
    case at::kHalf:
      return DType::kF16;
    case at::kBFloat16:
      return DType::kBF16;
    case at::kDouble:
      return DType::kF64;
    case at::kLong:
      return DType::kI64;
    case at::kInt:
      return DType::kI32;
    case at::kShort:
      return DType::kI16;
    case at::kChar:
      return DType::kI8;
    case at::kByte:
      return DType::kU8;
    case at::kBool:
      return DType::kBool;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("dtype must be one that the file format knows, got ",
                       at::toString(type)));
  }
}

}  // namespace

absl::StatusOr<at::Tensor> ReadFloatTensor(const SafetensorsFile& file,
                                           const std::string& name,
                                           absl::Span<const int64_t> shape) {
  ALIGNSAE_ASSIGN_OR_RETURN(const TensorEntry* entry,
                            FindFloat(file, name, shape));
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor stored,
                            Allocate(shape, entry->dtype));
  ALIGNSAE_RETURN_IF_ERROR(file.ReadBytes(*entry, 0, BytesOf(stored)));
  return AsFloat(stored);
}

absl::StatusOr<at::Tensor> ReadRows(const SafetensorsFile& file,
                                    const std::string& name,
                                    absl::Span<const int64_t> rows,
                                    absl::Span<const int64_t> shape) {
  ALIGNSAE_ASSIGN_OR_RETURN(const TensorEntry* entry,
                            FindFloat(file, name, shape));
  if (shape.size() != 2) {
    return TensorError(
        file, name, absl::StatusCode::kInvalidArgument,
        absl::StrCat("must have 2 dimensions, got ", ShapeText(shape)));
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckIndices(file, name, "row", rows, shape[0]));
  const int64_t width = shape[1];  // D
  const uint64_t row_bytes = width * DTypeBytes(entry->dtype);
  ALIGNSAE_ASSIGN_OR_RETURN(
      const at::Tensor stored,  // [rows, D]
      Allocate({static_cast<int64_t>(rows.size()), width}, entry->dtype));
  const absl::Span<char> out = BytesOf(stored);
  for (size_t i = 0; i < rows.size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(file.ReadBytes(
        *entry, rows[i] * row_bytes, out.subspan(i * row_bytes, row_bytes)));
  }
  return AsFloat(stored);
}

absl::StatusOr<at::Tensor> ReadColumns(const SafetensorsFile& file,
                                       const std::string& name,
                                       absl::Span<const int64_t> columns,
                                       absl::Span<const int64_t> shape) {
  ALIGNSAE_ASSIGN_OR_RETURN(const TensorEntry* entry,
                            FindFloat(file, name, shape));
  if (shape.size() != 2) {
    return TensorError(
        file, name, absl::StatusCode::kInvalidArgument,
        absl::StrCat("must have 2 dimensions, got ", ShapeText(shape)));
  }
  const int64_t height = shape[0];  // D
  const int64_t width = shape[1];   // N
  ALIGNSAE_RETURN_IF_ERROR(CheckIndices(file, name, "column", columns, width));
  const std::vector<int64_t> wanted = SortedDistinct(columns);
  const std::vector<Run> runs = RunsOf(wanted);
  const size_t value_bytes = DTypeBytes(entry->dtype);
  std::vector<char> row(wanted.size() * value_bytes);
  std::vector<size_t> sources;  // Byte in `row` of each of `columns`.
  for (const int64_t column : columns) {
    const auto it = std::lower_bound(wanted.begin(), wanted.end(), column);
    sources.push_back((it - wanted.begin()) * value_bytes);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const at::Tensor stored,  // [D, columns]
      Allocate({height, static_cast<int64_t>(columns.size())}, entry->dtype));
  char* out = BytesOf(stored).data();
  for (int64_t d = 0; d < height; ++d) {
    absl::Span<char> rest = absl::MakeSpan(row);
    for (const Run& run : runs) {
      const size_t bytes = run.count * value_bytes;
      ALIGNSAE_RETURN_IF_ERROR(
          file.ReadBytes(*entry, (d * width + run.first) * value_bytes,
                         rest.subspan(0, bytes)));
      rest.remove_prefix(bytes);
    }
    for (const size_t source : sources) {
      std::memcpy(out, row.data() + source, value_bytes);
      out += value_bytes;
    }
  }
  return AsFloat(stored);
}

absl::Status WriteTensors(
    const std::string& path,
    const std::vector<std::pair<std::string, at::Tensor>>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> on_cpu;  // Keeps the bytes alive.
  std::vector<TensorToWrite> to_write;
  for (const auto& [name, tensor] : tensors) {
    ALIGNSAE_ASSIGN_OR_RETURN(at::Tensor stored, WithTorchFence([&] {
                                return tensor.detach().cpu().contiguous();
                              }));
    absl::StatusOr<DType> dtype = FileDType(stored.scalar_type());
    if (!dtype.ok()) {
      return absl::Status(dtype.status().code(),
                          absl::StrCat(path, ": tensor ", Quoted(name), ": ",
                                       dtype.status().message()));
    }
    to_write.push_back(
        {.name = name,
         .dtype = *dtype,
         .shape = stored.sizes().vec(),
         .data = absl::string_view(BytesOf(stored).data(), stored.nbytes())});
    on_cpu.push_back(std::move(stored));
  }
  return WriteSafetensors(path, to_write, metadata);
}

}  // namespace alignsae
