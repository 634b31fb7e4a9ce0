#include "model/bundle/upgrade.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/status_macros.h"
#include "model/bundle/files.h"
#include "model/bundle/manifest.h"

namespace alignsae {
namespace {

absl::Status InDirectory(const std::string& directory,
                         const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(directory, "/", status.message()));
}

// Version 1 named the hashes of the weights alone and one commit for all
// stages. `json` becomes version 2 with the hash of every file that is there.
absl::Status FromVersion1(const std::string& directory, nlohmann::json& json) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject root,
                            JsonObject::Of(json, "bundle.json"));
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject provenance,
                            root.Object("provenance"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string commit,
                            provenance.String("commit"));
  ALIGNSAE_RETURN_IF_ERROR(provenance.OnlyKeys({"command", "seed", "commit"}));
  // Enough of a manifest to know where the files lie; the whole is parsed when
  // it is of this version.
  Manifest places;
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject model, root.Object("model"));
  ALIGNSAE_ASSIGN_OR_RETURN(places.model_path, model.String("path"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> saes,
                            root.Objects("saes"));
  for (const JsonObject& sae : saes) {
    ALIGNSAE_ASSIGN_OR_RETURN(places.saes.emplace_back().path,
                              sae.String("path"));
  }
  json["format_version"] = kBundleFormatVersion;
  json["provenance"].erase("commit");
  json["provenance"]["commits"] = {{"all", commit}};
  // Before anything is opened: paths that stay below the bundle. The weights
  // are listed as the old file says; what they are is seen below.
  json["files"] = nlohmann::json::object();
  json["files"][places.model_path + "/model.safetensors"] =
      json["model"]["sha256"];
  for (auto& sae : json["saes"]) {
    json["files"][sae["path"].get<std::string>() + "/sae_weights.safetensors"] =
        sae["sha256"];
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const Manifest old, ParseManifest(json.dump()));
  ALIGNSAE_ASSIGN_OR_RETURN(const auto hashes,
                            HashesOfFiles(directory, places));
  for (const auto& [path, sha256] : old.files) {
    const auto it = hashes.find(path);
    if (it == hashes.end()) {
      return absl::NotFoundError(absl::StrCat(path, ": must be there"));
    }
    if (it->second != sha256) {
      return absl::DataLossError(
          absl::StrCat(path, ": sha256: must be ", sha256,
                       " as in bundle.json, got ", it->second));
    }
  }
  json["files"] = hashes;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> UpgradeBundle(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/bundle.json");
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  if (ParseManifest(text).ok()) return kBundleFormatVersion;
  absl::StatusOr<nlohmann::json> json = ParseJson(text);
  if (!json.ok()) {
    return InDirectory(
        directory,
        absl::Status(json.status().code(),
                     absl::StrCat("bundle.json: ", json.status().message())));
  }
  const auto root = JsonObject::Of(*json, "bundle.json");
  const bool is_version_1 =
      root.ok() && root->Integer("format_version", 1, 1).ok();
  if (!is_version_1) {
    return InDirectory(directory, ParseManifest(text).status());
  }
  const absl::Status upgraded = FromVersion1(directory, *json);
  if (!upgraded.ok()) return InDirectory(directory, upgraded);
  const absl::StatusOr<Manifest> manifest = ParseManifest(json->dump());
  if (!manifest.ok()) return InDirectory(directory, manifest.status());
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(path, ManifestToJson(*manifest)));
  return 1;
}

}  // namespace alignsae
