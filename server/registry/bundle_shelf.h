// BundleShelf: the one directory that operators load from, by name alone.
//
// A name is a directory on the shelf, or a link to one that lies on it too:
// what a link or a name leads out of the shelf is not there. Paths never leave
// the process: Told takes them out of what a loader says.
//
// Thread-safety: immutable; thread-safe.
// Errors: InvalidField and NOT_FOUND of the field `bundle`; FAILED_PRECONDITION
// where there is no shelf.

#ifndef ALIGNSAE_SERVER_REGISTRY_BUNDLE_SHELF_H_
#define ALIGNSAE_SERVER_REGISTRY_BUNDLE_SHELF_H_

#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

// Names of bundles, and of models.
inline constexpr char kShelfNameRule[] =
    "be a name of letters, digits, '.', '_' and '-', at most 128 of them, that "
    "does not begin with '.'";
bool IsShelfName(absl::string_view name);

class BundleShelf {
 public:
  // Empty: no shelf.
  explicit BundleShelf(std::string directory)
      : directory_(std::move(directory)) {}

  // Where the bundle, or the checkpoint, of that name lies now, links followed.
  absl::StatusOr<std::string> Find(const std::string& name) const;

 private:
  const std::string directory_;
};

// What version of a bundle, a model or a checkpoint lies in a directory, by the
// file that is written last: changes when another one takes its place. Empty
// where there is none.
std::string VersionStamp(const std::string& directory);

// `status` with names in the place of paths: path -> name.
absl::Status Told(const absl::Status& status,
                  const std::map<std::string, std::string>& names);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_BUNDLE_SHELF_H_
