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

namespace alignsae {

class HashedFile {
 public:
  static absl::StatusOr<HashedFile> Of(const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& sha256() const { return sha256_; }

  // The path still names the same file, and nobody has written to it since.
  absl::Status CheckUnchanged() const;

 private:
  // Device, inode, size, and the times of the last change of contents and
  // inode.
  using Stamp = std::array<int64_t, 7>;
  static absl::StatusOr<Stamp> StampOf(const std::string& path);

  std::string path_;
  std::string sha256_;
  Stamp stamp_{};
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_HASHED_FILE_H_
