#include "model/bundle/bundle_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/directory_lock.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/files.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;

constexpr char kManifestName[] = "bundle.json";
// Unlike any name that a person gives: what is found there is deleted.
constexpr char kWorkSuffix[] = ".partial-bundle";

std::string WithoutTrailingSlash(absl::string_view path) {
  while (path.size() > 1 && absl::ConsumeSuffix(&path, "/")) {
  }
  return std::string(path);
}

// Removes what is inside `directory`, not the directory itself.
absl::Status Clear(const std::string& directory) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (fs::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    paths.push_back(it->path());
  }
  for (const fs::path& path : paths) {
    if (!error) fs::remove_all(path, error);
  }
  if (error) return PosixError(directory, "clear", error.value());
  return absl::OkStatus();
}

// An empty directory that is ours alone.
absl::Status MakeWorkDirectory(const std::string& path, DirectoryLock& lock) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(path));
  ALIGNSAE_RETURN_IF_ERROR(lock.Take(path, DirectoryLock::Links::kRefused));
  return Clear(path);
}

absl::Status SyncFile(const std::string& path) {
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return PosixError(path, "open", errno);
  if (fsync(fd.get()) != 0) return PosixError(path, "sync", errno);
  return absl::OkStatus();
}

// Everything below `directory` and the names themselves.
absl::Status SyncTree(const std::string& directory) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end;
       !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    if (it->is_directory(error)) {
      ALIGNSAE_RETURN_IF_ERROR(SyncDirectory(path));
    } else if (it->is_regular_file(error)) {
      ALIGNSAE_RETURN_IF_ERROR(SyncFile(path));
    }
  }
  if (error) return PosixError(directory, "list", error.value());
  return SyncDirectory(directory);
}

// Puts `work` at `directory`; what was there ends up at `work`.
absl::Status Swap(const std::string& work, const std::string& directory) {
  if (!FileExists(directory)) {
    if (rename(work.c_str(), directory.c_str()) == 0) return absl::OkStatus();
    return PosixError(directory, "rename a new bundle to it", errno);
  }
  if (renameat2(AT_FDCWD, work.c_str(), AT_FDCWD, directory.c_str(),
                RENAME_EXCHANGE) == 0) {
    return absl::OkStatus();
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return PosixError(directory, "exchange with a new bundle", errno);
  }
  // A file system without exchange: two renames, with a moment in which the
  // target is absent but both bundles are on disk.
  const std::string old = absl::StrCat(directory, ".old");
  if (rename(directory.c_str(), old.c_str()) != 0) {
    return PosixError(directory, "move away", errno);
  }
  if (rename(work.c_str(), directory.c_str()) != 0) {
    const int error = errno;
    rename(old.c_str(), directory.c_str());
    return PosixError(directory, "rename a new bundle to it", error);
  }
  if (rename(old.c_str(), work.c_str()) != 0) {
    return PosixError(old, "rename", errno);
  }
  return absl::OkStatus();
}

}  // namespace

// What is at the target may be replaced: nothing, an empty directory, or a
// bundle. A slip in a path must not delete somebody's files.
absl::Status CheckReplaceableByBundle(const std::string& directory) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(directory, error);
  if (status.type() == fs::file_type::not_found) return absl::OkStatus();
  if (status.type() == fs::file_type::directory) {
    if (FileExists(absl::StrCat(directory, "/", kManifestName)) ||
        fs::is_empty(directory, error)) {
      return absl::OkStatus();
    }
  }
  return absl::FailedPreconditionError(absl::StrCat(
      directory,
      ": must be absent, empty or a directory with bundle.json, so that it can "
      "be replaced"));
}

absl::Status WriteBundleAtomically(
    const std::string& directory,
    absl::FunctionRef<absl::Status(const std::string& directory)> fill) {
  const std::string target = WithoutTrailingSlash(directory);
  const std::string work = absl::StrCat(target, kWorkSuffix);
  ALIGNSAE_RETURN_IF_ERROR(CheckReplaceableByBundle(target));
  DirectoryLock lock;
  ALIGNSAE_RETURN_IF_ERROR(MakeWorkDirectory(work, lock));
  absl::Status status = fill(work);
  if (status.ok()) status = SyncTree(work);
  // Again: `fill` may have taken an hour.
  if (status.ok()) status = CheckReplaceableByBundle(target);
  DirectoryLock old_lock;
  if (status.ok() && FileExists(target)) {
    // The old bundle gets the work directory's name, where the next writer
    // would look for leftovers: it must find it locked while we remove it.
    status = old_lock.Take(target, DirectoryLock::Links::kRefused);
  }
  if (status.ok()) status = Swap(work, target);
  if (status.ok()) status = SyncDirectory(ParentDirectory(target));
  // Either the work that failed or the old bundle.
  std::error_code error;
  fs::remove_all(work, error);
  if (status.ok() && error) return PosixError(work, "remove", error.value());
  return status;
}

absl::Status WriteManifestWithHashes(const std::string& directory,
                                     Manifest manifest) {
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.files, HashesOfFiles(directory, manifest));
  const auto hash_of =
      [&](const std::string& path) -> absl::StatusOr<std::string> {
    const auto it = manifest.files.find(path);
    if (it != manifest.files.end()) return it->second;
    return absl::NotFoundError(
        absl::StrCat(directory, "/", path, ": must be there"));
  };
  ALIGNSAE_ASSIGN_OR_RETURN(
      manifest.model_sha256,
      hash_of(manifest.model_path + "/model.safetensors"));
  for (ManifestSae& sae : manifest.saes) {
    ALIGNSAE_ASSIGN_OR_RETURN(sae.sha256,
                              hash_of(sae.path + "/sae_weights.safetensors"));
  }
  const std::string json = ManifestToJson(manifest);
  ALIGNSAE_RETURN_IF_ERROR(ParseManifest(json).status());
  return WriteFileAtomically(absl::StrCat(directory, "/", kManifestName), json);
}

}  // namespace alignsae
