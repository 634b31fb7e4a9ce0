#include "model/base/hashed_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "model/base/cache_folder.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr int64_t kMinNotedBytes = int64_t{16} << 20;
constexpr int kNotesKept = 64;
// A file that was written to later than this before it was hashed could be
// written to again within the same tick of the file system's clock.
constexpr int64_t kSettledSeconds = 2;
// Of a Stamp.
constexpr int kSize = 2, kContentsChanged = 3, kInodeChanged = 5;

}  // namespace

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

absl::StatusOr<HashedFile> HashedFile::Of(const std::string& path,
                                          const std::string& notes,
                                          absl::Time now) {
  HashedFile file;
  file.path_ = path;
  ALIGNSAE_ASSIGN_OR_RETURN(file.stamp_, StampOf(path));
  std::string note;
  char whole[PATH_MAX];
  if (!notes.empty() && file.stamp_[kSize] >= kMinNotedBytes &&
      realpath(path.c_str(), whole) != nullptr) {
    note = absl::StrCat(notes, "/", Sha256Hex(whole), ".json");
    if (file.ReadNote(note)) return file;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(file.sha256_, Sha256OfFile(path));
  if (!note.empty()) file.WriteNote(note, now);
  return file;
}

bool HashedFile::ReadNote(const std::string& note) {
  constexpr int64_t kMaxNoteBytes = 4096;
  constexpr size_t kHexDigits = 64;
  const absl::StatusOr<std::string> text = ReadFile(note, kMaxNoteBytes);
  if (!text.ok()) return false;
  const absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  if (!json.ok() || !json->is_object() ||
      json->value("stamp", nlohmann::json()) != nlohmann::json(stamp_)) {
    return false;
  }
  const nlohmann::json sha256 = json->value("sha256", nlohmann::json());
  if (!sha256.is_string() ||
      sha256.get_ref<const std::string&>().size() != kHexDigits) {
    return false;
  }
  sha256_ = sha256.get<std::string>();
  TouchFile(note);
  return true;
}

void HashedFile::WriteNote(const std::string& note, absl::Time now) const {
  const int64_t settled = absl::ToUnixSeconds(now) - kSettledSeconds;
  if (std::max(stamp_[kContentsChanged], stamp_[kInodeChanged]) >= settled ||
      !CheckUnchanged().ok()) {
    return;
  }
  const nlohmann::json json = {{"stamp", stamp_}, {"sha256", sha256_}};
  if (WriteFileAtomically(note, json.dump() + "\n").ok()) {
    KeepNewest(ParentDirectory(note), kNotesKept);
  }
}

absl::Status HashedFile::CheckUnchanged() const {
  ALIGNSAE_ASSIGN_OR_RETURN(const Stamp now, StampOf(path_));
  if (now == stamp_) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path_, ": must not change while it is loaded"));
}

}  // namespace alignsae
