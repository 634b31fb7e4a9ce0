// From an older bundle format to this one, in place: bundle.json alone is
// replaced, by one rename. Free of LibTorch.
//
// Thread-safety: free function.
// Errors: DATA_LOSS when weights do not have the hash that the old bundle.json
// gives them; INVALID_ARGUMENT as ParseManifest, naming the directory; POSIX
// errors. A bundle that is refused stays as it was.

#ifndef ALIGNSAE_MODEL_BUNDLE_UPGRADE_H_
#define ALIGNSAE_MODEL_BUNDLE_UPGRADE_H_

#include <string>

#include "absl/status/statusor.h"

namespace alignsae {

// The version that the bundle had before: kBundleFormatVersion when there was
// nothing to do, and then not a byte changes.
absl::StatusOr<int> UpgradeBundle(const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_UPGRADE_H_
