// Which files of a bundle decide what it answers: all that lie where the
// loaders look, that is in the model's directory and in each checkpoint's, but
// those that no loader reads (value_heads.safetensors, *.md, .gitattributes).
// Free of LibTorch.
//
// Thread-safety: free functions.
// Errors: each names the path; POSIX errors as model/base/posix_file.h.

#ifndef ALIGNSAE_MODEL_BUNDLE_FILES_H_
#define ALIGNSAE_MODEL_BUNDLE_FILES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/bundle/manifest.h"

namespace alignsae {

// Paths relative to the bundle at `directory`, sorted. Uses the paths of the
// model and the checkpoints alone.
absl::StatusOr<std::vector<std::string>> FilesThatDecide(
    const std::string& directory, const Manifest& manifest);

// The same with the SHA-256 of each: Manifest::files.
absl::StatusOr<std::map<std::string, std::string>> HashesOfFiles(
    const std::string& directory, const Manifest& manifest);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_FILES_H_
