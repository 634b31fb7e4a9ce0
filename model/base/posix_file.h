// Thin, checked layer over POSIX files for the readers and writers of the
// project: an owned descriptor, opening regular files only, and reads that are
// either complete or an error.
//
// Thread-safety: free functions; FileDescriptor is an owned handle.
// Errors: every message starts with the path. See PosixError for the codes.

#ifndef ALIGNSAE_MODEL_BASE_POSIX_FILE_H_
#define ALIGNSAE_MODEL_BASE_POSIX_FILE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace alignsae {

// Closes its descriptor when it goes. Thread-safety: as a unique_ptr.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// The status of a failed system call, from `error` (an errno value):
//   NOT_FOUND           no such path
//   PERMISSION_DENIED   not allowed, read-only file system
//   INVALID_ARGUMENT    a name that no file can have, or the wrong kind of file
//   RESOURCE_EXHAUSTED  no space, memory or descriptors
//   DATA_LOSS           all else, such as an I/O error
absl::Status PosixError(absl::string_view path, absl::string_view action,
                        int error);

struct OpenedFile {
  FileDescriptor fd;
  uint64_t size = 0;  // When it was opened.
};

// Opens an existing regular file; a directory, FIFO, socket or device is
// INVALID_ARGUMENT, and never blocks.
absl::StatusOr<OpenedFile> OpenRegularFile(const std::string& path);

// Fills `out` from byte `offset` on. A file that ends before is DATA_LOSS: it
// was cut since it was opened. `path` is for messages.
absl::Status ReadFullyAt(int fd, const std::string& path, uint64_t offset,
                         absl::Span<char> out);

// Creates the directory at `path`, and those above it, where they are missing.
absl::Status CreateDirectories(const std::string& path);

// Makes a rename or a new entry in `directory` survive a power cut.
absl::Status SyncDirectory(const std::string& directory);

// "a/b" of "a/b/c" and of "a/b/c/"; "." of "c"; "/" of "/c".
std::string ParentDirectory(absl::string_view path);

// "main" of "sae/main" and of "sae/main/", and the directory's own name of ".".
std::string LastPart(const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_POSIX_FILE_H_
