#include "model/base/hashed_file.h"

#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace alignsae {

absl::StatusOr<HashedFile::Stamp> HashedFile::StampOf(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return PosixError(path, "stat", errno);
  return Stamp{static_cast<int64_t>(info.st_dev),
               static_cast<int64_t>(info.st_ino),
               info.st_size,
               info.st_mtim.tv_sec,
               info.st_mtim.tv_nsec,
               info.st_ctim.tv_sec,
               info.st_ctim.tv_nsec};
}

absl::StatusOr<HashedFile> HashedFile::Of(const std::string& path) {
  HashedFile file;
  file.path_ = path;
  ALIGNSAE_ASSIGN_OR_RETURN(file.stamp_, StampOf(path));
  ALIGNSAE_ASSIGN_OR_RETURN(file.sha256_, Sha256OfFile(path));
  return file;
}

absl::Status HashedFile::CheckUnchanged() const {
  ALIGNSAE_ASSIGN_OR_RETURN(const Stamp now, StampOf(path_));
  if (now == stamp_) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path_, ": must not change while it is loaded"));
}

}  // namespace alignsae
