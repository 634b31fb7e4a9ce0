// DirectoryLock: a directory that one writer has to itself.
//
// The lock is the system's (flock): it goes with the process, however that
// ends, and leaves nothing behind. Readers need none.
//
// Thread-safety: as a unique_ptr; two locks exclude each other within one
// process, too.

#ifndef ALIGNSAE_MODEL_BASE_DIRECTORY_LOCK_H_
#define ALIGNSAE_MODEL_BASE_DIRECTORY_LOCK_H_

#include <string>

#include "absl/status/status.h"
#include "model/base/posix_file.h"

namespace alignsae {

class DirectoryLock {
 public:
  enum class Links { kFollowed, kRefused };

  // Takes the lock of an existing directory, unless this has it already.
  // ABORTED when another one has it, or moved the directory away just now.
  absl::Status Take(const std::string& path, Links links = Links::kFollowed);
  // The same, and nothing where there is no such directory.
  absl::Status TakeIfThere(const std::string& path);

 private:
  FileDescriptor fd_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_DIRECTORY_LOCK_H_
