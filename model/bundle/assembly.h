// Assembly: gathers the parts of a Bundle, and refuses those that do not belong
// together. For the loaders of this folder.
//
// Fill it in this order: model, then checkpoints.
//
// Thread-safety: not thread-safe.
// Errors: as bundle.h; each names the directory.

#ifndef ALIGNSAE_MODEL_BUNDLE_ASSEMBLY_H_
#define ALIGNSAE_MODEL_BUNDLE_ASSEMBLY_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/bundle/bundle.h"
#include "model/bundle/families.h"
#include "model/bundle/manifest.h"
#include "model/steering/catalog.h"

namespace alignsae {

absl::Status Prefixed(absl::string_view prefix, const absl::Status& status);
// Some parts name only their file ("config.json: ..."): say where it lies.
absl::Status InDirectory(const std::string& directory,
                         const absl::Status& status);

struct HashedManifest {
  Manifest manifest;
  std::string sha256;  // Of the file.
};
// <directory>/bundle.json.
absl::StatusOr<HashedManifest> ReadManifest(const std::string& directory);

// What bundle.json says of all its checkpoints: version, evaluation.
void SayWhatBundleSays(const Manifest& manifest, CheckpointInfo& checkpoint);

class Assembly {
 public:
  explicit Assembly(const BundleOptions& options) : options_(options) {}
  // Goes on from `base`, whose parts are shared.
  Assembly(const BundleOptions& options, const Bundle& base)
      : options_(options), bundle_(base), catalog_(*base.catalog) {}

  // `sha256`: of model.safetensors.
  absl::Status AddModel(const std::string& directory, const std::string& name,
                        const std::string& sha256);
  // `sha256`: of sae_weights.safetensors. `entry`: bundle.json's, or null.
  absl::Status AddCheckpoint(const std::string& directory,
                             const std::string& name, const std::string& sha256,
                             const ManifestSae* entry);
  // The last checkpoint takes the place of checkpoint `index`.
  void MoveLastTo(int index);
  void Remove(int index);
  // Checkpoint `index` comes first; the others keep their order.
  void MoveToFront(int index);

  Catalog& catalog() { return catalog_; }
  std::shared_ptr<const Bundle> Finish();

 private:
  // The model in the type that the options ask for, or in a safer one; says
  // which and why in the catalog.
  absl::StatusOr<LoadedTransformer> LoadChecked(const std::string& directory,
                                                const std::string& sha256);
  // The model in `type`; what became of its prepared weights is told in the
  // catalog.
  absl::StatusOr<LoadedTransformer> LoadInType(const std::string& directory,
                                               const std::string& sha256,
                                               WeightType type);

  const BundleOptions options_;
  Bundle bundle_;
  Catalog catalog_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_ASSEMBLY_H_
