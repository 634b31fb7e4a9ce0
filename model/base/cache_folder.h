// Folders of the user's cache directory, for what can be made again.
//
// Thread-safety: free functions.
// Errors: as posix_file.h; FAILED_PRECONDITION for a folder that others may
// write to. Each names the path.

#ifndef ALIGNSAE_MODEL_BASE_CACHE_FOLDER_H_
#define ALIGNSAE_MODEL_BASE_CACHE_FOLDER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace alignsae {

// <cache_directory>/<name>, made where it is missing. It belongs to this user,
// and nobody else may write to it: what lies there is believed.
absl::StatusOr<std::string> OpenCacheFolder(const std::string& cache_directory,
                                            const std::string& name);

// Says that a file was of use, for KeepNewest. Failure changes nothing.
void TouchFile(const std::string& path);

// Removes all files but the `count` that were last of use, and what writers
// that were killed left behind. Failure changes nothing.
void KeepNewest(const std::string& folder, int count);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_CACHE_FOLDER_H_
