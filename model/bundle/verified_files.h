// The files of a bundle that decide what it answers, hashed before they are
// loaded. One object a load.
//
// Thread-safety: not thread-safe.
// Errors: each names the path. DATA_LOSS for a hash that differs, a file that
// nothing lists, or one that was written to meanwhile.

#ifndef ALIGNSAE_MODEL_BUNDLE_VERIFIED_FILES_H_
#define ALIGNSAE_MODEL_BUNDLE_VERIFIED_FILES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/hashed_file.h"
#include "model/bundle/manifest.h"

namespace alignsae {

class VerifiedFiles {
 public:
  // `verify` off: nothing is hashed, and nothing is refused.
  // `notes`: as HashedFile::Of's.
  VerifiedFiles(std::string root, bool verify, std::string notes = "")
      : root_(std::move(root)), verify_(verify), notes_(std::move(notes)) {}

  // Every file that bundle.json lists has its hash, and no other lies where
  // the loaders look. `below`: of those in this folder of the bundle alone,
  // which ends with "/".
  absl::Status CheckListed(const Manifest& manifest,
                           absl::string_view below = "");

  // The hash of a file that nothing lists; "" when files are not hashed.
  absl::StatusOr<std::string> HashOf(const std::string& path);

  // Nobody wrote to them while they were read.
  absl::Status CheckUnchanged() const;

 private:
  absl::Status Hash(const std::string& path, const std::string& expected);

  std::string root_;
  bool verify_;
  std::string notes_;
  std::vector<HashedFile> files_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_VERIFIED_FILES_H_
