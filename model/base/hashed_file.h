// The hash of a file that somebody else is about to read by its path, and a
// check afterwards that what was read is what was hashed.
//
// Thread-safety: value type.
// Errors: as model/base/file.h; DATA_LOSS when the file changed.
//
//   ALIGNSAE_ASSIGN_OR_RETURN(HashedFile file, HashedFile::Of(path));
//   if (file.sha256() != expected) ...
//   ALIGNSAE_ASSIGN_OR_RETURN(Weights weights, LoadWeights(path));
//   ALIGNSAE_RETURN_IF_ERROR(file.CheckUnchanged());

#ifndef ALIGNSAE_MODEL_BASE_HASHED_FILE_H_
#define ALIGNSAE_MODEL_BASE_HASHED_FILE_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace alignsae {

class HashedFile {
 public:
  // `notes`: a folder of cache_folder.h where the hash of a large file (16 MiB)
  // is written down with its stamp. While the stamp stays, the file is not read
  // again. Empty: it is read. `now` is the wall clock's.
  static absl::StatusOr<HashedFile> Of(const std::string& path,
                                       const std::string& notes = "",
                                       absl::Time now = absl::Now());

  const std::string& path() const { return path_; }
  const std::string& sha256() const { return sha256_; }

  // The path still names the same file, and nobody has written to it since.
  absl::Status CheckUnchanged() const;

 private:
  // Device, inode, size, and the times of the last change of contents and
  // inode.
  using Stamp = std::array<int64_t, 7>;
  static absl::StatusOr<Stamp> StampOf(const std::string& path);
  // Whether the note at `note` is of a file with this stamp; then it has its
  // hash.
  bool ReadNote(const std::string& note);
  // Failure changes nothing.
  void WriteNote(const std::string& note, absl::Time now) const;

  std::string path_;
  std::string sha256_;
  Stamp stamp_{};
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_HASHED_FILE_H_
