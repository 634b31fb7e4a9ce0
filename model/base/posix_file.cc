#include "model/base/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace alignsae {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
    case EISDIR:
    case ENXIO:  // open() of a socket.
      return absl::StatusCode::kInvalidArgument;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kDataLoss;
  }
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

absl::Status PosixError(absl::string_view path, absl::string_view action,
                        int error) {
  return absl::Status(CodeOf(error), absl::StrCat(path, ": cannot ", action,
                                                  ": ", std::strerror(error)));
}

absl::StatusOr<OpenedFile> OpenRegularFile(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    // open() would silently stop at the NUL and open another file.
    return absl::InvalidArgumentError("path: must not hold a NUL byte");
  }
  // O_NONBLOCK: opening a FIFO must not hang before fstat can refuse it.
  OpenedFile file;
  file.fd =
      FileDescriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd.get() < 0) return PosixError(path, "open", errno);
  struct stat info = {};
  if (fstat(file.fd.get(), &info) != 0) return PosixError(path, "stat", errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": must be a regular file, got ",
        S_ISDIR(info.st_mode) ? "a directory" : "a device, pipe or socket"));
  }
  file.size = static_cast<uint64_t>(info.st_size);
  return file;
}

absl::Status ReadFullyAt(int fd, const std::string& path, uint64_t offset,
                         absl::Span<char> out) {
  // The kernel moves at most 2 GiB a call.
  constexpr size_t kMaxRead = size_t{1} << 30;
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        pread(fd, out.data() + done, std::min(out.size() - done, kMaxRead),
              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return PosixError(path, "read", errno);
    if (n == 0) {
      return absl::DataLossError(
          absl::StrCat(path, ": ended at byte ", offset + done, " while ",
                       out.size(), " bytes from byte ", offset,
                       " were read; it was cut after it was opened"));
    }
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::Status CreateDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? PosixError(path, "create", error.value()) : absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& directory) {
  FileDescriptor fd(
      open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return PosixError(directory, "open", errno);
  // Some network file systems refuse to sync a directory; nothing to gain
  // there.
  if (fsync(fd.get()) != 0 && errno != EINVAL) {
    return PosixError(directory, "sync", errno);
  }
  return absl::OkStatus();
}

std::string ParentDirectory(absl::string_view path) {
  while (path.size() > 1 && absl::ConsumeSuffix(&path, "/")) {
  }
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(slash, 1)));
}

std::string LastPart(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;  // Then `path` is empty, and so is the name.
  fs::path path = fs::absolute(directory, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

}  // namespace alignsae
