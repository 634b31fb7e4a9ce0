// Other checkpoints on a model that is loaded: each function gives a new Bundle
// that shares the model, the tokenizer and the other checkpoints with `base`.
//
// A checkpoint out of a bundle must have been made for the very model (its
// SHA-256 is compared), and only its own files are read and verified.
//
// Thread-safety: free functions; `base` is only read.
// Errors: as bundle.h; NOT_FOUND for a name that is not there; and
// INVALID_ARGUMENT where a bundle holds several and none is named.

#ifndef ALIGNSAE_MODEL_BUNDLE_CHECKPOINT_CHANGE_H_
#define ALIGNSAE_MODEL_BUNDLE_CHECKPOINT_CHANGE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/bundle/bundle.h"
#include "model/bundle/checkpoint_source.h"

namespace alignsae {

// The name that it is served under: its own, that of its folder where that is
// no bundle's, or the one that the source asks for.
absl::StatusOr<std::string> NameToServe(const CheckpointSource& source);

// In the place of the one of its name, or behind all others.
absl::StatusOr<std::shared_ptr<const Bundle>> WithCheckpoint(
    const Bundle& base, const CheckpointSource& source,
    const BundleOptions& options);
absl::StatusOr<std::shared_ptr<const Bundle>> WithoutCheckpoint(
    const Bundle& base, const std::string& name);
// `name` comes first, which makes it the default of every request.
absl::StatusOr<std::shared_ptr<const Bundle>> WithDefault(
    const Bundle& base, const std::string& name);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_CHECKPOINT_CHANGE_H_
