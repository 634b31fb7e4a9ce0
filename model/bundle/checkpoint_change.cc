#include "model/bundle/checkpoint_change.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/posix_file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/bundle/assembly.h"
#include "model/bundle/manifest.h"
#include "model/bundle/verified_files.h"

namespace alignsae {
namespace {

std::string NamesOf(const Manifest& manifest) {
  return absl::StrJoin(manifest.saes, ", ",
                       [](std::string* out, const ManifestSae& entry) {
                         absl::StrAppend(out, entry.name);
                       });
}

absl::StatusOr<const ManifestSae*> FindEntry(const std::string& directory,
                                             const Manifest& manifest,
                                             const std::string& name) {
  if (name.empty()) {
    if (manifest.saes.size() == 1) return &manifest.saes.front();
    return absl::InvalidArgumentError(
        absl::StrCat(directory, ": sae: must name one of the checkpoints of ",
                     "the bundle (", NamesOf(manifest), "), got none"));
  }
  const auto found = std::find_if(
      manifest.saes.begin(), manifest.saes.end(),
      [&](const ManifestSae& entry) { return entry.name == name; });
  if (found != manifest.saes.end()) return &*found;
  return absl::NotFoundError(absl::StrCat(directory, ": sae: must be one of ",
                                          NamesOf(manifest), ", got ",
                                          Quoted(name)));
}

absl::Status CheckSameModel(const std::string& directory,
                            const Manifest& manifest, const Bundle& base) {
  const std::string& loaded = base.catalog->model.sha256;
  if (loaded.empty() || loaded == manifest.model_sha256) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      directory, ": model: must be the one that is loaded, sha256 ", loaded,
      ", got ", manifest.model_sha256));
}

absl::Status CheckNoSae(const CheckpointSource& source) {
  if (source.sae.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(source.directory, ": sae: must be empty, as it is no ",
                   "bundle, got ", Quoted(source.sae)));
}

// Behind all others, as `name`.
absl::Status AddFromBundle(const Bundle& base, const CheckpointSource& source,
                           const std::string& name, bool verify,
                           Assembly& assembly) {
  const std::string& directory = source.directory;
  ALIGNSAE_ASSIGN_OR_RETURN(const HashedManifest read, ReadManifest(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(const ManifestSae* entry,
                            FindEntry(directory, read.manifest, source.sae));
  ALIGNSAE_RETURN_IF_ERROR(CheckSameModel(directory, read.manifest, base));
  VerifiedFiles files(directory, verify);
  ALIGNSAE_RETURN_IF_ERROR(
      files.CheckListed(read.manifest, absl::StrCat(entry->path, "/")));
  ALIGNSAE_RETURN_IF_ERROR(assembly.AddCheckpoint(
      absl::StrCat(directory, "/", entry->path), name, entry->sha256, entry));
  SayWhatBundleSays(read.manifest, assembly.catalog().checkpoints.back());
  return files.CheckUnchanged();
}

absl::Status AddAlone(const CheckpointSource& source, const std::string& name,
                      bool verify, Assembly& assembly) {
  ALIGNSAE_RETURN_IF_ERROR(CheckNoSae(source));
  const std::string& directory = source.directory;
  VerifiedFiles files("", verify);
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string sha256,
      files.HashOf(absl::StrCat(directory, "/sae_weights.safetensors")));
  ALIGNSAE_RETURN_IF_ERROR(
      assembly.AddCheckpoint(directory, name, sha256, /*entry=*/nullptr));
  return files.CheckUnchanged();
}

absl::StatusOr<int> IndexOf(const Bundle& base, const std::string& name) {
  const std::optional<int> found = base.catalog->FindCheckpoint(name);
  if (found.has_value()) return *found;
  return absl::NotFoundError(absl::StrCat(
      "checkpoint: must be one that is loaded, got ", Quoted(name)));
}

}  // namespace

absl::StatusOr<std::string> NameToServe(const CheckpointSource& source) {
  std::string name = source.name;
  if (IsBundle(source.directory)) {
    ALIGNSAE_ASSIGN_OR_RETURN(const HashedManifest read,
                              ReadManifest(source.directory));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const ManifestSae* entry,
        FindEntry(source.directory, read.manifest, source.sae));
    if (name.empty()) name = entry->name;
  } else {
    ALIGNSAE_RETURN_IF_ERROR(CheckNoSae(source));
    if (name.empty()) name = LastPart(source.directory);
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckManifestName("name", name));
  return name;
}

absl::StatusOr<std::shared_ptr<const Bundle>> WithCheckpoint(
    const Bundle& base, const CheckpointSource& source,
    const BundleOptions& options) {
  Assembly assembly(options, base);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string name, NameToServe(source));
  const bool verify = options.verify_hashes;
  ALIGNSAE_RETURN_IF_ERROR(
      IsBundle(source.directory)
          ? AddFromBundle(base, source, name, verify, assembly)
          : AddAlone(source, name, verify, assembly));
  const std::optional<int> there = base.catalog->FindCheckpoint(name);
  if (there.has_value()) assembly.MoveLastTo(*there);
  return assembly.Finish();
}

absl::StatusOr<std::shared_ptr<const Bundle>> WithoutCheckpoint(
    const Bundle& base, const std::string& name) {
  ALIGNSAE_ASSIGN_OR_RETURN(const int index, IndexOf(base, name));
  const BundleOptions unused;
  Assembly assembly(unused, base);
  assembly.Remove(index);
  return assembly.Finish();
}

absl::StatusOr<std::shared_ptr<const Bundle>> WithDefault(
    const Bundle& base, const std::string& name) {
  ALIGNSAE_ASSIGN_OR_RETURN(const int index, IndexOf(base, name));
  const BundleOptions unused;
  Assembly assembly(unused, base);
  assembly.MoveToFront(index);
  return assembly.Finish();
}

}  // namespace alignsae
