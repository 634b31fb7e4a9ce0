#include "model/bundle/bundle.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "model/base/cache_folder.h"
#include "model/base/file.h"
#include "model/base/hashed_file.h"
#include "model/base/posix_file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/bundle/assembly.h"
#include "model/bundle/verified_files.h"
#include "model/io/weight_files.h"

namespace alignsae {
namespace {

// Of model.safetensors; of weights in shards, the hash of the lines that
// sha256sum prints for the index and the shards in the order of their names.
absl::StatusOr<std::string> HashOfWeights(const std::string& directory,
                                          VerifiedFiles& files) {
  ALIGNSAE_RETURN_IF_ERROR(CheckWeights(directory));
  const std::string whole = absl::StrCat(directory, "/", kWholeWeights);
  if (FileExists(whole)) return files.HashOf(whole);
  // Hashed before it is read, so that CheckUnchanged covers what it names.
  ALIGNSAE_ASSIGN_OR_RETURN(
      std::string hash,
      files.HashOf(absl::StrCat(directory, "/", kWeightsIndex)));
  std::string lines = absl::StrCat(hash, "  ", kWeightsIndex, "\n");
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::string> shards,
                            ShardNames(directory));
  for (const std::string& shard : shards) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        hash, files.HashOf(absl::StrCat(directory, "/", shard)));
    absl::StrAppend(&lines, hash, "  ", shard, "\n");
  }
  return hash.empty() ? hash : Sha256Hex(lines);
}

// The folder of hashes; without it files are read each time.
std::string NotesOf(const BundleOptions& options) {
  if (!options.keep_prepared || options.cache_directory.empty()) return "";
  return OpenCacheFolder(options.cache_directory, "hashes").value_or("");
}

}  // namespace

bool IsBundle(const std::string& directory) {
  return FileExists(absl::StrCat(directory, "/bundle.json"));
}

absl::StatusOr<std::shared_ptr<const Bundle>> LoadBundle(
    const std::string& directory, const BundleOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const HashedManifest read, ReadManifest(directory));
  const Manifest& manifest = read.manifest;
  VerifiedFiles files(directory, options.verify_hashes, NotesOf(options));
  // Before the hashes: it says in which other form the weights lie.
  ALIGNSAE_RETURN_IF_ERROR(
      CheckWholeWeights(absl::StrCat(directory, "/", manifest.model_path)));
  ALIGNSAE_RETURN_IF_ERROR(files.CheckListed(manifest));
  Assembly assembly(options);
  ALIGNSAE_RETURN_IF_ERROR(
      assembly.AddModel(absl::StrCat(directory, "/", manifest.model_path),
                        manifest.name, manifest.model_sha256));
  for (const ManifestSae& entry : manifest.saes) {
    ALIGNSAE_RETURN_IF_ERROR(
        assembly.AddCheckpoint(absl::StrCat(directory, "/", entry.path),
                               entry.name, entry.sha256, &entry));
  }
  ALIGNSAE_RETURN_IF_ERROR(files.CheckUnchanged());
  Catalog& catalog = assembly.catalog();
  catalog.model.bundle_sha256 = read.sha256;
  catalog.bundle_name = manifest.name;
  catalog.model.version = manifest.version;
  catalog.model.prompt_template = manifest.prompt_template;
  for (CheckpointInfo& checkpoint : catalog.checkpoints) {
    SayWhatBundleSays(manifest, checkpoint);
  }
  return assembly.Finish();
}

absl::StatusOr<std::shared_ptr<const Bundle>> LoadParts(
    const std::string& model_directory,
    const std::vector<std::string>& sae_directories,
    const BundleOptions& options) {
  VerifiedFiles files("", options.verify_hashes, NotesOf(options));
  Assembly assembly(options);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string model_sha256,
                            HashOfWeights(model_directory, files));
  ALIGNSAE_RETURN_IF_ERROR(assembly.AddModel(
      model_directory, LastPart(model_directory), model_sha256));
  absl::flat_hash_set<std::string> names;
  for (const std::string& directory : sae_directories) {
    const std::string name = LastPart(directory);
    if (!names.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(directory,
                       ": must have another name than the checkpoints before "
                       "it, got ",
                       Quoted(name), " again"));
    }
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::string sha256,
        files.HashOf(absl::StrCat(directory, "/sae_weights.safetensors")));
    ALIGNSAE_RETURN_IF_ERROR(
        assembly.AddCheckpoint(directory, name, sha256, /*entry=*/nullptr));
  }
  ALIGNSAE_RETURN_IF_ERROR(files.CheckUnchanged());
  return assembly.Finish();
}

}  // namespace alignsae
