#include "model/base/cache_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;

// A writer that is at work is done long before.
constexpr std::chrono::hours kLeftBehind{1};

}  // namespace

absl::StatusOr<std::string> OpenCacheFolder(const std::string& cache_directory,
                                            const std::string& name) {
  const std::string path = absl::StrCat(cache_directory, "/", name);
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(cache_directory));
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return PosixError(path, "create", errno);
  }
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return PosixError(path, "stat", errno);
  if (S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
      (info.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
    return path;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      path,
      ": must be a directory of the server's user that nobody else may write "
      "to, got another one"));
}

void TouchFile(const std::string& path) {
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
}

void KeepNewest(const std::string& folder, int count) {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code unread;  // Somebody else may have removed it.
    const fs::file_time_type written = fs::last_write_time(*it, unread);
    if (unread || !it->is_regular_file(unread)) continue;
    if (!absl::StrContains(it->path().filename().string(), ".tmp.")) {
      files.emplace_back(written, it->path());
    } else if (fs::file_time_type::clock::now() - written > kLeftBehind) {
      fs::remove(it->path(), unread);
    }
  }
  std::sort(files.rbegin(), files.rend());
  for (size_t i = count; i < files.size(); ++i) {
    fs::remove(files[i].second, error);
  }
}

}  // namespace alignsae
