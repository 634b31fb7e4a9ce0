#include "model/bundle/families.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/cache_folder.h"
#include "model/base/status_macros.h"
#include "model/gpt2/gpt2.h"
#include "model/gpt_neox/gpt_neox.h"
#include "model/io/weight_files.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/config_fields.h"

namespace alignsae {

namespace {

using Json = nlohmann::json;

// Whether `json` is a GPT-NeoX's; else it is a GPT-2's, or refused.
absl::StatusOr<bool> IsGptNeoX(absl::string_view json) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Json object, ParseConfigObject(json));
  const ConfigFields fields(object);
  if (fields.ModelType("gpt_neox").ok()) return true;
  if (fields.ModelType("gpt2").ok()) return false;
  return RefuseConfig("model_type", "\"gpt2\" or \"gpt_neox\"",
                      fields.Got("model_type"));
}

// Of the file in `place`.
template <typename Family>
absl::StatusOr<Family> ReadKept(const std::string& directory, WeightType type,
                                const PreparedPlace& place) {
  ALIGNSAE_ASSIGN_OR_RETURN(const PreparedParts parts,
                            ReadPrepared(place.path, place.facts));
  ALIGNSAE_ASSIGN_OR_RETURN(Family model,
                            Family::PutTogether(directory, type, parts));
  TouchFile(place.path);
  return model;
}

// `unread`: why the file in `place` was of no use.
template <typename Family>
std::optional<PreparedWeights> KeepNow(const Family& model,
                                       const PreparedPlace& place,
                                       const absl::Status& unread) {
  if (model.matrix_bytes() < place.min_bytes) return std::nullopt;
  const absl::Status kept =
      WithTorchFence([&] { return KeepPrepared(place, model.TakeApart()); });
  PreparedWeights told;
  if (!kept.ok()) {
    told.result = PreparedResult::kNotKept;
    told.why = std::string(kept.message());
  } else if (absl::IsNotFound(unread)) {
    told.result = PreparedResult::kMade;
  } else {
    told.result = PreparedResult::kRemade;
    told.why = std::string(unread.message());
  }
  return told;
}

// The model alone; `told` is LoadedTransformer::prepared.
template <typename Family>
absl::StatusOr<Family> LoadPrepared(const std::string& directory,
                                    at::Device device, WeightType type,
                                    Keep keep, const PreparedPlace* place,
                                    std::optional<PreparedWeights>& told) {
  if (place == nullptr) return Family::Load(directory, device, type, keep);
  absl::StatusOr<Family> read = ReadKept<Family>(directory, type, *place);
  if (read.ok()) {
    told = PreparedWeights();  // Read.
  } else {
    const absl::Status unread = read.status();
    read = Family::Load(directory, device, type, keep);
    if (!read.ok()) return read;
    told = KeepNow(*read, *place, unread);
  }
  if (told.has_value()) told->type = std::string(WeightTypeName(type));
  return read;
}

// A model with what its config.json says beside the forward pass.
template <typename Family>
absl::StatusOr<LoadedTransformer> Load(const std::string& directory,
                                       at::Device device, WeightType type,
                                       Keep keep, const PreparedPlace* place) {
  LoadedTransformer loaded;
  ALIGNSAE_ASSIGN_OR_RETURN(
      Family model, LoadPrepared<Family>(directory, device, type, keep, place,
                                         loaded.prepared));
  loaded.end_tokens = model.config().end_tokens;
  loaded.warnings =
      UnreachableWarnings(loaded.end_tokens, "config.json: eos_token_id",
                          model.config().vocab_size);
  if (HasStaleIndex(directory)) {
    loaded.warnings.push_back(absl::StrCat(
        kWeightsIndex, ": not read, because ", kWholeWeights, " is there"));
  }
  loaded.model = std::make_unique<const Family>(std::move(model));
  return loaded;
}

}  // namespace

absl::StatusOr<TransformerFacts> ReadFacts(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string json, ReadConfigJson(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(const bool is_neox, IsGptNeoX(json));
  if (is_neox) {
    ALIGNSAE_ASSIGN_OR_RETURN(const GptNeoXConfig config,
                              ParseGptNeoXConfig(json));
    return config.facts();
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2Config config, ParseGpt2Config(json));
  return config.facts();
}

absl::StatusOr<LoadedTransformer> LoadTransformer(const std::string& directory,
                                                  at::Device device,
                                                  WeightType type, Keep keep,
                                                  const PreparedPlace* place) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string json, ReadConfigJson(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(const bool is_neox, IsGptNeoX(json));
  if (is_neox) return Load<GptNeoX>(directory, device, type, keep, place);
  return Load<Gpt2>(directory, device, type, keep, place);
}

}  // namespace alignsae
