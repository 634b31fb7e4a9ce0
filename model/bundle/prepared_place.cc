#include "model/bundle/prepared_place.h"

#include "absl/strings/str_cat.h"
#include "model/base/cache_folder.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/base/version.h"
#include "model/transformer/config_fields.h"

namespace alignsae {
namespace {

constexpr int kFilesKept = 8;

}  // namespace

absl::StatusOr<PreparedPlace> PlaceOfPrepared(
    const std::string& cache_directory, const std::string& model_directory,
    const std::string& sha256, WeightType type) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string folder,
                            OpenCacheFolder(cache_directory, "prepared"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string config,
                            ReadConfigJson(model_directory));
  const std::string type_name(WeightTypeName(type));
  PreparedPlace place;
  place.path = absl::StrCat(folder, "/", sha256, "-", type_name);
  place.facts = {{"format", "alignsae prepared weights"},
                 {"prepared_version", absl::StrCat(kPreparedVersion)},
                 {"program_version", kVersion},
                 {"model_sha256", sha256},
                 {"config_sha256", Sha256Hex(config)},
                 {"weight_type", type_name}};
  return place;
}

absl::Status KeepPrepared(const PreparedPlace& place,
                          const PreparedParts& parts) {
  ALIGNSAE_RETURN_IF_ERROR(WritePrepared(place.path, place.facts, parts));
  KeepNewest(ParentDirectory(place.path), kFilesKept);
  return absl::OkStatus();
}

}  // namespace alignsae
