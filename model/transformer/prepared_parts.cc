#include "model/transformer/prepared_parts.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/base/file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/io/safetensors.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/streamed_memory.h"

namespace alignsae {
namespace {

// Bytes that one thread reads and hashes at once.
constexpr int64_t kPieceBytes = int64_t{16} << 20;
constexpr char kSumOf[] = "sha256 of ";  // In front of a tensor's name.

// The number types of prepared weights.
struct PartType {
  DType in_file;
  at::ScalarType in_memory;
};
constexpr PartType kPartTypes[] = {{DType::kU8, at::kByte},
                                   {DType::kF32, at::kFloat},
                                   {DType::kI32, at::kInt},
                                   {DType::kI64, at::kLong}};

DType FileTypeOf(at::ScalarType type) {
  for (const PartType& known : kPartTypes) {
    if (known.in_memory == type) return known.in_file;
  }
  throw std::runtime_error(
      absl::StrCat("prepared weights: no place for ", at::toString(type)));
}

std::optional<at::ScalarType> MemoryTypeOf(DType type) {
  for (const PartType& known : kPartTypes) {
    if (known.in_file == type) return known.in_memory;
  }
  return std::nullopt;
}

char* BytesOfPart(const at::Tensor& part) {
  return static_cast<char*>(part.data_ptr());
}

struct FilePiece {
  size_t part = 0;  // Into the names.
  int64_t offset = 0;
  int64_t size = 0;
};

std::vector<FilePiece> PiecesOf(const std::vector<at::Tensor>& parts) {
  std::vector<FilePiece> pieces;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto bytes = static_cast<int64_t>(parts[i].nbytes());
    for (int64_t offset = 0; offset < bytes; offset += kPieceBytes) {
      pieces.push_back({i, offset, std::min(kPieceBytes, bytes - offset)});
    }
  }
  return pieces;
}

// The sum of each part, over its number type, its shape and its bytes. `fill`
// is called for each piece before it is hashed, on any thread.
template <typename Fill>
absl::StatusOr<std::vector<std::string>> SumsOf(
    const std::vector<at::Tensor>& parts, const Fill& fill) {
  const std::vector<FilePiece> pieces = PiecesOf(parts);
  std::vector<std::string> sums(pieces.size());
  std::vector<absl::Status> statuses(pieces.size());
  at::parallel_for(
      0, static_cast<int64_t>(pieces.size()), /*grain_size=*/1,
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const FilePiece& piece = pieces[i];
          char* bytes = BytesOfPart(parts[piece.part]) + piece.offset;
          statuses[i] = fill(piece, absl::MakeSpan(bytes, piece.size));
          sums[i] = Sha256Hex(absl::string_view(bytes, piece.size));
        }
      });
  std::vector<std::string> texts;
  for (const at::Tensor& part : parts) {
    texts.push_back(absl::StrCat(at::toString(part.scalar_type()), " ",
                                 absl::StrJoin(part.sizes(), " ")));
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(statuses[i]);
    absl::StrAppend(&texts[pieces[i].part], "\n", sums[i]);
  }
  for (std::string& text : texts) text = Sha256Hex(text);
  return texts;
}

absl::Status CheckFacts(const std::string& path, const PreparedFacts& facts,
                        const std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : facts) {
    const auto found = metadata.find(key);
    if (found != metadata.end() && found->second == value) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": ", key, ": must be ", Quoted(value), ", got ",
                     found == metadata.end() ? "none" : Quoted(found->second)));
  }
  return absl::OkStatus();
}

// Memory for a tensor of the file.
at::Tensor MemoryFor(const TensorEntry& entry, at::ScalarType type) {
  if (type == at::kByte) {
    return StreamedMemory(static_cast<int64_t>(entry.end - entry.begin))
        .view(entry.shape);
  }
  return at::empty(entry.shape, type);
}

absl::StatusOr<PreparedParts> ReadParts(const SafetensorsFile& file) {
  std::vector<const TensorEntry*> entries;
  std::vector<at::Tensor> parts;
  for (const auto& [name, entry] : file.header().tensors) {
    const std::optional<at::ScalarType> type = MemoryTypeOf(entry.dtype);
    if (!type.has_value()) {
      return absl::DataLossError(absl::StrCat(
          file.path(), ": tensor ", Quoted(name),
          ": must be of U8, F32, I32 or I64, got ", DTypeName(entry.dtype)));
    }
    entries.push_back(&entry);
    parts.push_back(MemoryFor(entry, *type));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<std::string> sums,
      SumsOf(parts, [&](const FilePiece& piece, absl::Span<char> bytes) {
        return file.ReadBytes(*entries[piece.part], piece.offset, bytes);
      }));
  PreparedParts read;
  const auto& metadata = file.header().metadata;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto sum = metadata.find(kSumOf + entries[i]->name);
    if (sum == metadata.end() || sum->second != sums[i]) {
      return absl::DataLossError(absl::StrCat(
          file.path(), ": tensor ", Quoted(entries[i]->name),
          ": must have the sum that was written beside it, got another one"));
    }
    read.Put(entries[i]->name, parts[i]);
  }
  return read;
}

}  // namespace

void PreparedParts::Put(const std::string& name, const at::Tensor& tensor) {
  if (tensor.defined()) parts_[name] = tensor;
}

void PreparedParts::PutText(const std::string& name, const std::string& text) {
  at::Tensor bytes = at::empty({static_cast<int64_t>(text.size())}, at::kByte);
  std::copy(text.begin(), text.end(), BytesOfPart(bytes));
  Put(name, bytes);
}

at::Tensor PreparedParts::Find(const std::string& name) const {
  const auto found = parts_.find(name);
  return found == parts_.end() ? at::Tensor() : found->second;
}

at::Tensor PreparedParts::Get(const std::string& name) const {
  at::Tensor found = Find(name);
  if (found.defined()) return found;
  throw std::runtime_error("prepared weights: there is no " + name);
}

std::string PreparedParts::GetText(const std::string& name) const {
  const at::Tensor bytes = Get(name);
  return std::string(BytesOfPart(bytes), bytes.nbytes());
}

absl::Status WritePrepared(const std::string& path, const PreparedFacts& facts,
                           const PreparedParts& parts) {
  return WithTorchFence([&]() -> absl::Status {
    std::vector<at::Tensor> tensors;
    for (const auto& [name, tensor] : parts.all()) {
      tensors.push_back(tensor.contiguous());
    }
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::vector<std::string> sums,
        SumsOf(tensors, [](const FilePiece&, absl::Span<char>) {
          return absl::OkStatus();
        }));
    std::map<std::string, std::string> metadata = facts;
    std::vector<TensorToWrite> to_write;
    size_t i = 0;
    for (const auto& [name, unused] : parts.all()) {
      const at::Tensor& tensor = tensors[i];
      metadata[kSumOf + name] = sums[i++];
      to_write.push_back(
          {.name = name,
           .dtype = FileTypeOf(tensor.scalar_type()),
           .shape = tensor.sizes().vec(),
           .data = absl::string_view(BytesOfPart(tensor), tensor.nbytes())});
    }
    return WriteSafetensors(path, to_write, metadata, Survives::kNoPowerCut);
  });
}

absl::StatusOr<PreparedParts> ReadPrepared(const std::string& path,
                                           const PreparedFacts& facts) {
  ALIGNSAE_ASSIGN_OR_RETURN(const SafetensorsFile file,
                            SafetensorsFile::Open(path));
  ALIGNSAE_RETURN_IF_ERROR(CheckFacts(path, facts, file.header().metadata));
  return WithTorchFence([&] { return ReadParts(file); });
}

}  // namespace alignsae
