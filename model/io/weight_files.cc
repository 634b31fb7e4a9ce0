#include "model/io/weight_files.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// What transformers is told to write one file of any of the other forms.
constexpr char kSaveAsOne[] =
    "save_pretrained(..., safe_serialization=True, max_shard_size=\"100GB\")";
constexpr int64_t kMaxIndexBytes = int64_t{16} << 20;
constexpr size_t kMaxShards = 1024;

using ShardMap = std::map<std::string, std::vector<std::string>>;

std::string PathIn(const std::string& directory, absl::string_view name) {
  return absl::StrCat(directory, "/", name);
}

// A name that cannot lead out of the directory.
bool IsPlainFileName(absl::string_view name) {
  return absl::EndsWith(name, ".safetensors") && name[0] != '.' &&
         name.find('/') == absl::string_view::npos &&
         name.find('\0') == absl::string_view::npos;
}

absl::Status IndexError(
    absl::string_view rest,
    absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  return absl::Status(code, absl::StrCat(kWeightsIndex, ": ", rest));
}

// The shards that the index names, all of which are there.
absl::StatusOr<ShardMap> ReadIndex(const std::string& directory) {
  const std::string path = PathIn(directory, kWeightsIndex);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string json,
                            ReadFile(path, kMaxIndexBytes));
  absl::StatusOr<ShardMap> shards = ParseWeightsIndex(json);
  if (!shards.ok()) {
    return absl::Status(shards.status().code(),
                        PathIn(directory, shards.status().message()));
  }
  for (const auto& [name, tensors] : *shards) {
    if (FileExists(PathIn(directory, name))) continue;
    return absl::NotFoundError(
        absl::StrCat(path, ": weight_map: must name files that are there, got ",
                     Quoted(name), ", which is not"));
  }
  return shards;
}

// The shard has the tensors that the index promises of it, and no others.
absl::Status CheckShard(const std::string& index_path,
                        const std::vector<std::string>& promised,
                        const SafetensorsFile& shard) {
  for (const std::string& name : promised) {
    if (shard.Find(name) != nullptr) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        index_path, ": weight_map[", Quoted(name),
        "]: must be the file that has the tensor, got ", shard.path()));
  }
  if (shard.header().tensors.size() == promised.size()) return absl::OkStatus();
  ShardMap listed;
  for (const std::string& name : promised) listed[name];
  for (const auto& [name, entry] : shard.header().tensors) {
    if (listed.contains(name)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        shard.path(), ": tensor ", Quoted(name), ": must be in this file in ",
        kWeightsIndex, ", got another file or none there"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckWeights(const std::string& directory) {
  const auto has = [&directory](absl::string_view name) {
    return FileExists(PathIn(directory, name));
  };
  if (has(kWholeWeights) || has(kWeightsIndex)) return absl::OkStatus();
  for (const char* pickle :
       {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (!has(pickle)) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        PathIn(directory, pickle),
        ": pickles are not read; write model.safetensors by ", kSaveAsOne));
  }
  return absl::NotFoundError(absl::StrCat(PathIn(directory, kWholeWeights),
                                          ": must be there, got nothing"));
}

absl::Status CheckWholeWeights(const std::string& directory) {
  ALIGNSAE_RETURN_IF_ERROR(CheckWeights(directory));
  if (FileExists(PathIn(directory, kWholeWeights))) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      PathIn(directory, kWeightsIndex),
      ": weights in several files are read of a model that is served by "
      "itself, not here; write one model.safetensors by ",
      kSaveAsOne));
}

bool HasStaleIndex(const std::string& directory) {
  return FileExists(PathIn(directory, kWholeWeights)) &&
         FileExists(PathIn(directory, kWeightsIndex));
}

absl::StatusOr<ShardMap> ParseWeightsIndex(absl::string_view json) {
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(json);
  if (!parsed.ok()) return IndexError(parsed.status().message());
  ALIGNSAE_ASSIGN_OR_RETURN(
      const JsonObject root,
      JsonObject::Of(*parsed, std::string(kWeightsIndex)));
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject map, root.Object("weight_map"));
  ShardMap shards;
  for (const auto& [tensor, file] : map.json().items()) {
    if (!file.is_string() ||
        !IsPlainFileName(file.get_ref<const std::string&>())) {
      return IndexError(absl::StrCat(
          "weight_map[", Quoted(tensor),
          "]: must be the name of a .safetensors file in this directory, "
          "without a path, got ",
          ShowJson(&file)));
    }
    shards[file.get<std::string>()].push_back(tensor);
  }
  if (shards.empty()) {
    return IndexError("weight_map: must name a tensor, got {}");
  }
  if (shards.size() > kMaxShards) {
    return IndexError(absl::StrCat("weight_map: must name at most ", kMaxShards,
                                   " files, got ", shards.size()),
                      absl::StatusCode::kResourceExhausted);
  }
  return shards;
}

absl::StatusOr<std::vector<std::string>> ShardNames(
    const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const ShardMap shards, ReadIndex(directory));
  std::vector<std::string> names;
  for (const auto& [name, tensors] : shards) names.push_back(name);
  return names;
}

absl::StatusOr<WeightFiles> WeightFiles::Open(const std::string& directory) {
  ALIGNSAE_RETURN_IF_ERROR(CheckWeights(directory));
  WeightFiles weights;
  weights.path_ = PathIn(directory, kWholeWeights);
  if (FileExists(weights.path_)) {
    ALIGNSAE_ASSIGN_OR_RETURN(SafetensorsFile file,
                              SafetensorsFile::Open(weights.path_));
    weights.files_.push_back(std::move(file));
    return weights;
  }
  weights.path_ = PathIn(directory, kWeightsIndex);
  ALIGNSAE_ASSIGN_OR_RETURN(const ShardMap shards, ReadIndex(directory));
  for (const auto& [name, tensors] : shards) {
    ALIGNSAE_ASSIGN_OR_RETURN(SafetensorsFile file,
                              SafetensorsFile::Open(PathIn(directory, name)));
    ALIGNSAE_RETURN_IF_ERROR(CheckShard(weights.path_, tensors, file));
    weights.files_.push_back(std::move(file));
  }
  return weights;
}

const SafetensorsFile* WeightFiles::FileWith(const std::string& name) const {
  for (const SafetensorsFile& file : files_) {
    if (file.Find(name) != nullptr) return &file;
  }
  return nullptr;
}

}  // namespace alignsae
