// Whole-file reads with a limit, atomic writes, and hashes.
//
// Thread-safety: free functions without shared state; AtomicFile is one
// thread's. Errors: NOT_FOUND (no such path), INVALID_ARGUMENT (not a regular
// file), RESOURCE_EXHAUSTED (larger than the limit, disk full), DATA_LOSS (read
// error). Every message starts with the path.

#ifndef ALIGNSAE_MODEL_BASE_FILE_H_
#define ALIGNSAE_MODEL_BASE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/posix_file.h"

namespace alignsae {

inline constexpr int64_t kMaxTextFileBytes = int64_t{64} << 20;

// Reads a regular file of at most `max_bytes` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     int64_t max_bytes = kMaxTextFileBytes);

// What a file is written for. After kNoPowerCut a power cut may leave any of
// its bytes behind: for what can be made again, and is checked when it is read.
enum class Survives { kPowerCut, kNoPowerCut };

// A file that appears whole or not at all: bytes go to a temporary file beside
// `path`, and Commit syncs it and renames it over `path`. A reader sees the old
// file or the new one, never a part. Without Commit nothing is left behind.
// What is there and is no regular file (a device, a directory) is
// INVALID_ARGUMENT.
//
// Thread-safety: not thread-safe. Different AtomicFiles of the same path may be
// written at once; the last Commit wins.
//
//   ALIGNSAE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
//   ALIGNSAE_RETURN_IF_ERROR(file.Append(bytes));
//   ALIGNSAE_RETURN_IF_ERROR(file.Commit());
class AtomicFile {
 public:
  static absl::StatusOr<AtomicFile> Create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  absl::Status Append(absl::string_view bytes);
  // Nothing may be called after it.
  absl::Status Commit(Survives survives = Survives::kPowerCut);

 private:
  AtomicFile() = default;

  std::string path_;
  std::string temporary_;  // Empty once there is nothing to remove.
  FileDescriptor fd_;
};

// AtomicFile for contents that are at hand.
absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view contents);

bool FileExists(const std::string& path);

// Lower-case hex SHA-256 of a buffer or of a file's bytes (streamed).
std::string Sha256Hex(absl::string_view bytes);
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_FILE_H_
