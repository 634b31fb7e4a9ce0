// Reader and writer of the safetensors container, without tensors: names,
// dtypes, shapes and byte ranges. model/io/tensor_file.h turns them into
// tensors.
//
// The header is read with pread and checked in full before any of the data is
// mapped or read. Stricter than the reference reader: duplicate keys, trailing
// bytes, leading blanks, unknown fields and integers above 2^48 - 1 are
// refused.
//
// Thread-safety: SafetensorsFile is immutable after Open; ReadBytes may be
// called from several threads. Errors: DATA_LOSS "<path>: <rule broken>" for a
// malformed file, UNIMPLEMENTED for a dtype of the format that we do not read,
// NOT_FOUND, INVALID_ARGUMENT (not a regular file), RESOURCE_EXHAUSTED (over a
// limit).
//
// Limits beyond the format's: file 64 GiB, header 16 MiB, 65536 tensors, name
// 512 bytes, 8 dimensions, metadata 1 MiB.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open(path));
//   const TensorEntry* wte = file.Find("wte.weight");

#ifndef ALIGNSAE_MODEL_IO_SAFETENSORS_H_
#define ALIGNSAE_MODEL_IO_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"

namespace alignsae {

enum class DType {
  kBool,
  kU8,
  kI8,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64
};

int DTypeBytes(DType dtype);
absl::string_view DTypeName(DType dtype);  // "F32", ...

struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // Byte range in the data section.
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, TensorEntry> tensors;
  std::map<std::string, std::string> metadata;  // The __metadata__ object.
  uint64_t data_offset = 0;  // Of the data section in the file: 8 + N.
};

// Checks a header (the JSON bytes after the length) against every rule of the
// format; `file_size` is the whole file's. Messages do not name the file. The
// fuzzer's entry point.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json,
                                                         uint64_t file_size);

class SafetensorsFile {
 public:
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  const SafetensorsHeader& header() const { return header_; }
  const std::string& path() const { return path_; }
  // nullptr when absent.
  const TensorEntry* Find(const std::string& name) const;

  // Reads `out.size()` bytes of the data section from byte `offset` of
  // `entry`'s range; the range is checked. pread, so a truncated file is an
  // error and not a SIGBUS.
  absl::Status ReadBytes(const TensorEntry& entry, uint64_t offset,
                         absl::Span<char> out) const;

 private:
  SafetensorsFile() = default;
  std::string path_;
  SafetensorsHeader header_;
  FileDescriptor fd_;
};

// One tensor to write. `data` holds row-major little-endian values and must
// outlive the call.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  absl::string_view data;
};

// Writes atomically, header padded to a multiple of 8; the same tensors in any
// order give the same bytes. What the reader would refuse is INVALID_ARGUMENT.
absl::Status WriteSafetensors(
    const std::string& path, absl::Span<const TensorToWrite> tensors,
    const std::map<std::string, std::string>& metadata,
    Survives survives = Survives::kPowerCut);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_IO_SAFETENSORS_H_
