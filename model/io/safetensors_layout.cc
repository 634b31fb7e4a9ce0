#include "model/io/safetensors_layout.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

struct DTypeInfo {
  DType dtype = DType::kBool;
  absl::string_view name;
  int bytes = 0;
};

constexpr std::array<DTypeInfo, 13> kDTypes = {{{DType::kBool, "BOOL", 1},
                                                {DType::kU8, "U8", 1},
                                                {DType::kI8, "I8", 1},
                                                {DType::kI16, "I16", 2},
                                                {DType::kU16, "U16", 2},
                                                {DType::kF16, "F16", 2},
                                                {DType::kBF16, "BF16", 2},
                                                {DType::kI32, "I32", 4},
                                                {DType::kU32, "U32", 4},
                                                {DType::kF32, "F32", 4},
                                                {DType::kI64, "I64", 8},
                                                {DType::kU64, "U64", 8},
                                                {DType::kF64, "F64", 8}}};

// Legal in the format, not served: no part of GPT-2 or of an SAE uses them.
// They are also the only ones that need R8 (a whole number of bytes).
constexpr std::array<absl::string_view, 9> kUnsupportedDTypes = {
    "F4",      "F6_E2M3",     "F6_E3M2",     "F8_E5M2", "F8_E4M3",
    "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"};

const DTypeInfo& InfoOf(DType dtype) {
  return *std::find_if(
      kDTypes.begin(), kDTypes.end(),
      [dtype](const DTypeInfo& info) { return info.dtype == dtype; });
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// R7 and R9: the byte range is exactly what the shape takes.
absl::Status CheckSize(const TensorEntry& entry) {
  if (entry.end < entry.begin) {
    return absl::DataLossError(absl::StrCat(
        TensorLabel(entry.name), ".data_offsets: must not decrease, got [",
        entry.begin, ", ", entry.end, "]"));
  }
  uint64_t bytes = InfoOf(entry.dtype).bytes;
  bool overflow = false;
  for (const int64_t dimension : entry.shape) {
    overflow |=
        __builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension), &bytes);
  }
  if (overflow) {
    return absl::DataLossError(absl::StrCat(
        TensorLabel(entry.name), ".shape: must take less than 2^64 bytes, got ",
        ShapeText(entry.shape)));
  }
  if (entry.end - entry.begin != bytes) {
    return absl::DataLossError(absl::StrCat(
        TensorLabel(entry.name), ".data_offsets: must span ", bytes,
        " bytes for ", InfoOf(entry.dtype).name, " ", ShapeText(entry.shape),
        ", got ", entry.end - entry.begin));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLayout(const SafetensorsHeader& header, uint64_t file_size) {
  std::vector<const TensorEntry*> in_order;
  for (const auto& [name, entry] : header.tensors) in_order.push_back(&entry);
  std::sort(in_order.begin(), in_order.end(),
            [](const TensorEntry* a, const TensorEntry* b) {
              return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
            });
  uint64_t end = 0;
  for (const TensorEntry* entry : in_order) {
    if (entry->begin != end) {
      return absl::DataLossError(absl::StrCat(
          TensorLabel(entry->name), ".data_offsets[0]: must be ", end,
          end == 0 ? ", the start of the data, got "
                   : ", the end of the data before it, got ",
          entry->begin));
    }
    ALIGNSAE_RETURN_IF_ERROR(CheckSize(*entry));
    end = entry->end;
  }
  if (file_size - header.data_offset != end) {
    return absl::DataLossError(
        absl::StrCat("file: must have ", end,
                     " bytes after the header as its tensors say, "
                     "got ",
                     file_size - header.data_offset));
  }
  return absl::OkStatus();
}

int DTypeBytes(DType dtype) { return InfoOf(dtype).bytes; }

absl::string_view DTypeName(DType dtype) { return InfoOf(dtype).name; }

absl::StatusOr<DType> ParseDType(absl::string_view name) {
  std::string known;
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return info.dtype;
    absl::StrAppend(&known, known.empty() ? "" : ", ", info.name);
  }
  const bool of_the_format =
      std::find(kUnsupportedDTypes.begin(), kUnsupportedDTypes.end(), name) !=
      kUnsupportedDTypes.end();
  return absl::Status(
      of_the_format ? absl::StatusCode::kUnimplemented
                    : absl::StatusCode::kDataLoss,
      absl::StrCat("must be one of ", known, ", got ", Quoted(name)));
}

std::string TensorLabel(absl::string_view name) {
  return absl::StrCat("tensor ", Quoted(name));
}

}  // namespace alignsae
