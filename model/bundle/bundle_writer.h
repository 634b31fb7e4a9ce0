// Writes a bundle directory as one unit: it appears whole, or what was there
// before stays. Free of LibTorch.
//
// The new bundle is filled in "<directory>.partial-bundle", synced to disk and
// swapped with the old one by a single rename; the old one is kept until then.
// What a killed writer left in "<directory>.partial-bundle" is cleared by the
// next. Two writers of the same directory exclude each other by a lock that
// dies with its process.
//
// Thread-safety: free functions.
// Errors: each names the path. ABORTED when another writer is at work;
// FAILED_PRECONDITION when `directory` holds something other than a bundle,
// which is never deleted; what `fill` returns; POSIX errors as
// model/base/posix_file.h.
//
// Example:
//   WriteBundleAtomically("out/demo", [&](const std::string& directory) {
//     ALIGNSAE_RETURN_IF_ERROR(SaveGpt2(directory + "/gpt2", config, weights));
//     ...
//     return WriteManifestWithHashes(directory, manifest);
//   });

#ifndef ALIGNSAE_MODEL_BUNDLE_BUNDLE_WRITER_H_
#define ALIGNSAE_MODEL_BUNDLE_BUNDLE_WRITER_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "model/bundle/manifest.h"

namespace alignsae {

// Whether WriteBundleAtomically may put a bundle there: the path is absent, an
// empty directory or a bundle.
absl::Status CheckReplaceableByBundle(const std::string& directory);

// Calls `fill` with an empty directory and puts it at `directory` when it
// returns OK. Parent directories are made.
absl::Status WriteBundleAtomically(
    const std::string& directory,
    absl::FunctionRef<absl::Status(const std::string& directory)> fill);

// Sets the hashes of `manifest` from the files that already lie in `directory`
// (files.h), and writes bundle.json beside them. The manifest is checked as a
// reader would.
absl::Status WriteManifestWithHashes(const std::string& directory,
                                     Manifest manifest);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_BUNDLE_WRITER_H_
