// Whole-file reads with a limit, and atomic writes.
//
// Thread-safety: free functions without shared state.
// Errors: NOT_FOUND (no such path), INVALID_ARGUMENT (not a regular file),
// RESOURCE_EXHAUSTED (larger than the limit), DATA_LOSS (read error).

#ifndef ALIGNSAE_MODEL_BASE_FILE_H_
#define ALIGNSAE_MODEL_BASE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

inline constexpr int64_t kMaxTextFileBytes = int64_t{64} << 20;

// Reads a regular file of at most `max_bytes` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     int64_t max_bytes = kMaxTextFileBytes);

// Writes `contents` to a temporary file beside `path`, syncs it and renames it
// over `path`: a reader sees the old file or the new one, never a part.
absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view contents);

bool FileExists(const std::string& path);

// Lower-case hex SHA-256 of a buffer or of a file's bytes (streamed).
std::string Sha256Hex(absl::string_view bytes);
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_FILE_H_
