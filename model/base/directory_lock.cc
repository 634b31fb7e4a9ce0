#include "model/base/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace alignsae {

absl::Status DirectoryLock::Take(const std::string& path, Links links) {
  if (fd_.get() >= 0) return absl::OkStatus();
  const auto taken = [&path] {
    return absl::AbortedError(
        absl::StrCat(path, ": is being written by another process"));
  };
  const int no_link = links == Links::kRefused ? O_NOFOLLOW : 0;
  FileDescriptor fd(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | no_link));
  if (fd.get() < 0) return PosixError(path, "open", errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? taken() : PosixError(path, "lock", errno);
  }
  // Between open and lock the last owner may have moved it away.
  struct stat locked = {}, current = {};
  if (fstat(fd.get(), &locked) != 0 || stat(path.c_str(), &current) != 0 ||
      locked.st_dev != current.st_dev || locked.st_ino != current.st_ino) {
    return taken();
  }
  fd_ = std::move(fd);
  return absl::OkStatus();
}

absl::Status DirectoryLock::TakeIfThere(const std::string& path) {
  const absl::Status status = Take(path);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace alignsae
