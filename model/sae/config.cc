#include "model/sae/config.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/sae/saelens.h"
#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

using Json = nlohmann::json;

constexpr int kMaxLayer = 4095;
constexpr int kFormatVersion = 1;
constexpr char kTrainedKey[] = "trained_positions";

absl::Status Refuse(absl::string_view key, absl::string_view rule,
                    absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat("cfg.json: ", key, ": must be ", rule, ", got ", got));
}

// A value as an error message shows it: short, and valid whatever it holds.
std::string Shown(const Json* value) {
  if (value == nullptr) return "nothing";
  std::string text = value->dump(-1, ' ', /*ensure_ascii=*/true,
                                 Json::error_handler_t::replace);
  if (text.size() > 64) text = absl::StrCat(text.substr(0, 61), "...");
  return text;
}

// One JSON object of the file. `path` is empty for the root, else "alignsae.".
class ObjectReader {
 public:
  static absl::StatusOr<ObjectReader> Of(const Json* value,
                                         const std::string& path) {
    if (value == nullptr || !value->is_object()) {
      return Refuse(path.empty() ? "the file" : path, "a JSON object",
                    Shown(value));
    }
    return ObjectReader(value, path.empty() ? "" : absl::StrCat(path, "."));
  }

  const Json* Find(const char* key) const {
    const auto it = object_->find(key);
    return it == object_->end() ? nullptr : &*it;
  }
  const Json& json() const { return *object_; }
  std::string PathOf(absl::string_view key) const {
    return absl::StrCat(path_, key);
  }

  absl::Status OnlyKeys(std::initializer_list<absl::string_view> known) const {
    for (const auto& item : object_->items()) {
      if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
        return Refuse(PathOf(item.key().substr(0, kMaxNameBytes)),
                      "a known key", Shown(&item.value()));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int> Integer(const char* key, int low, int high) const {
    const Json* value = Find(key);
    // Unsigned values above 2^63 would wrap in get<int64_t>(), so compare both.
    const bool fits = value != nullptr && value->is_number_integer() &&
                      (!value->is_number_unsigned() ||
                       value->get<uint64_t>() <= static_cast<uint64_t>(high)) &&
                      value->get<int64_t>() >= low &&
                      value->get<int64_t>() <= high;
    if (!fits) {
      return Refuse(PathOf(key),
                    absl::StrCat("an integer in [", low, ", ", high, "]"),
                    Shown(value));
    }
    return value->get<int>();
  }

  absl::StatusOr<double> Number(const char* key) const {
    const Json* value = Find(key);
    if (value == nullptr || !value->is_number() ||
        !std::isfinite(value->get<double>())) {
      return Refuse(PathOf(key), "a finite number", Shown(value));
    }
    return value->get<double>();
  }

  absl::StatusOr<std::string> String(const char* key) const {
    const Json* value = Find(key);
    if (value == nullptr || !value->is_string()) {
      return Refuse(PathOf(key), "a string", Shown(value));
    }
    return value->get<std::string>();
  }

  // A switch of SAELens that only has one value that sae.h computes.
  absl::Status Fixed(const char* key, const Json& only) const {
    const Json* value = Find(key);
    if (value != nullptr && *value == only) return absl::OkStatus();
    return Refuse(PathOf(key), Shown(&only), Shown(value));
  }
  absl::Status FixedIfPresent(const char* key, const Json& only) const {
    return Find(key) == nullptr ? absl::OkStatus() : Fixed(key, only);
  }

 private:
  ObjectReader(const Json* object, std::string path)
      : object_(object), path_(std::move(path)) {}

  const Json* object_;
  std::string path_;
};

// SAELens's `architecture` calls a ReLU SAE "standard"; it has no word for one
// without an activation, so "identity" is ours.
absl::string_view ArchitectureOf(SaeActivation activation) {
  return activation == SaeActivation::kRelu ? "standard"
                                            : SaeActivationName(activation);
}

absl::StatusOr<SaeActivation> ReadArchitecture(const ObjectReader& root) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string name,
                            root.String("architecture"));
  for (SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
        SaeActivation::kJumpRelu}) {
    if (name == ArchitectureOf(activation)) return activation;
  }
  return Refuse("architecture", "standard, topk, jumprelu or identity",
                Shown(root.Find("architecture")));
}

// SAELens's arguments of the model that it trained on.
absl::Status CheckModelKwargs(const ObjectReader& metadata) {
  const Json* kwargs = metadata.Find("model_from_pretrained_kwargs");
  if (kwargs == nullptr || kwargs->is_null()) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(
      const ObjectReader reader,
      ObjectReader::Of(kwargs, "metadata.model_from_pretrained_kwargs"));
  const Json* centered = reader.Find("center_writing_weights");
  if (centered == nullptr || centered->is_null() || *centered == Json(false)) {
    return absl::OkStatus();
  }
  return Refuse(
      "metadata.model_from_pretrained_kwargs.center_writing_weights",
      "false or absent: the residual stream is read as it is, not centered",
      Shown(centered));
}

absl::StatusOr<HookPoint> ReadHook(const ObjectReader& root) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const ObjectReader metadata,
      ObjectReader::Of(root.Find("metadata"), "metadata"));
  // Both say that the SAE was trained on another residual stream than the one
  // that it would read here. What else stands in `metadata` is notes.
  if (const Json* prepend = metadata.Find("prepend_bos");
      prepend != nullptr && !prepend->is_null() && *prepend != Json(false)) {
    return Refuse("metadata.prepend_bos",
                  "false or absent: no token is put in front of a text",
                  Shown(prepend));
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckModelKwargs(metadata));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string name,
                            metadata.String("hook_name"));
  return ParseHookName("metadata.hook_name", name);
}

absl::Status ReadAlignSae(const ObjectReader& root, SaeConfig& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const ObjectReader own,
      ObjectReader::Of(root.Find("alignsae"), "alignsae"));
  ALIGNSAE_RETURN_IF_ERROR(
      own.OnlyKeys({"format_version", "scale", "concepts", kTrainedKey}));
  ALIGNSAE_RETURN_IF_ERROR(own.Fixed("format_version", kFormatVersion));
  ALIGNSAE_ASSIGN_OR_RETURN(config.scale, own.Number("scale"));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const JsonObject object,
      JsonObject::Of(root.json(), "cfg.json")->Object("alignsae"));
  ALIGNSAE_ASSIGN_OR_RETURN(config.concepts, ReadConcepts(object, "concepts"));
  if (own.Find(kTrainedKey) == nullptr) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string name, own.String(kTrainedKey));
  const std::optional<TrainedPositions> trained = FindTrainedPositions(name);
  if (!trained.has_value()) {
    return Refuse(absl::StrCat("alignsae.", kTrainedKey),
                  "last, all, labelled or span", Quoted(name));
  }
  config.trained = *trained;
  return absl::OkStatus();
}

absl::Status CheckInRange(absl::string_view key, int64_t value, int64_t low,
                          int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Refuse(key, absl::StrCat("an integer in [", low, ", ", high, "]"),
                absl::StrCat(value));
}

// It changes nothing, but what it promises must be possible.
absl::Status CheckWeightType(const ObjectReader& root) {
  const Json* found = root.Find("dtype");
  if (found == nullptr || found->is_null()) return absl::OkStatus();
  for (const char* name : {"float32", "float16", "bfloat16", "torch.float32",
                           "torch.float16", "torch.bfloat16"}) {
    if (*found == Json(name)) return absl::OkStatus();
  }
  return Refuse("dtype",
                "float32, float16 or bfloat16 (the tensors say which they are)",
                found->dump());
}

}  // namespace

absl::StatusOr<SaeActivation> ParseSaeActivation(absl::string_view name) {
  for (SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
        SaeActivation::kJumpRelu}) {
    if (name == SaeActivationName(activation)) return activation;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("activation: must be identity, relu, topk or jumprelu, got ",
                   Quoted(name)));
}

absl::string_view SaeActivationName(SaeActivation activation) {
  switch (activation) {
    case SaeActivation::kIdentity:
      return "identity";
    case SaeActivation::kRelu:
      return "relu";
    case SaeActivation::kTopK:
      return "topk";
    case SaeActivation::kJumpRelu:
      return "jumprelu";
  }
  return "unknown";
}

absl::Status CheckSaeConfig(const SaeConfig& config) {
  ALIGNSAE_RETURN_IF_ERROR(
      CheckInRange("d_in", config.d_model, 1, kMaxModelWidth));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckInRange("d_sae", config.n_features, 1, kMaxFeatures));
  ALIGNSAE_RETURN_IF_ERROR(CheckInRange("metadata.hook_name's layer",
                                        config.hook.layer, 0, kMaxLayer));
  if (!(config.scale >= kMinScale && config.scale <= kMaxScale)) {
    return Refuse("alignsae.scale",
                  absl::StrCat("in [", kMinScale, ", ", kMaxScale, "]"),
                  absl::StrCat(config.scale));
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(config.concepts, config.n_features,
                                         "cfg.json: alignsae.concepts"));
  if (config.activation == SaeActivation::kTopK) {
    const int kept = static_cast<int>(config.concepts.size());
    if (config.slots_act_alike && kept > 0) {
      return Refuse("architecture",
                    "standard or jumprelu for features with labels (with topk "
                    "all features decide about one)",
                    "topk");
    }
    const int free_features = config.n_features - kept;
    ALIGNSAE_RETURN_IF_ERROR(CheckInRange("k", config.k, 1, free_features));
  }
  return absl::OkStatus();
}

absl::StatusOr<SaeConfig> ParseSaeConfig(absl::string_view json) {
  absl::StatusOr<Json> parsed = ParseJson(json);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cfg.json: ", parsed.status().message()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const ObjectReader root,
                            ObjectReader::Of(&*parsed, ""));
  ALIGNSAE_RETURN_IF_ERROR(CheckWeightType(root));
  if (root.Find("alignsae") == nullptr) {
    return ParseSaeLensConfig(*JsonObject::Of(*parsed, "cfg.json"));
  }
  ALIGNSAE_RETURN_IF_ERROR(root.OnlyKeys(
      {"architecture", "d_in", "d_sae", "k", "dtype", "device",
       "apply_b_dec_to_input", "normalize_activations", "reshape_activations",
       "rescale_acts_by_decoder_norm", "metadata", "alignsae"}));
  // Required: where the key is absent, SAELens subtracts b_dec from its input.
  ALIGNSAE_RETURN_IF_ERROR(root.Fixed("apply_b_dec_to_input", false));
  ALIGNSAE_RETURN_IF_ERROR(
      root.FixedIfPresent("normalize_activations", "none"));
  ALIGNSAE_RETURN_IF_ERROR(root.FixedIfPresent("reshape_activations", "none"));
  ALIGNSAE_RETURN_IF_ERROR(
      root.FixedIfPresent("rescale_acts_by_decoder_norm", false));

  SaeConfig config;
  ALIGNSAE_ASSIGN_OR_RETURN(config.activation, ReadArchitecture(root));
  ALIGNSAE_ASSIGN_OR_RETURN(config.d_model,
                            root.Integer("d_in", 1, kMaxModelWidth));
  ALIGNSAE_ASSIGN_OR_RETURN(config.n_features,
                            root.Integer("d_sae", 1, kMaxFeatures));
  if (config.activation == SaeActivation::kTopK) {
    ALIGNSAE_ASSIGN_OR_RETURN(config.k, root.Integer("k", 1, kMaxFeatures));
  } else if (root.Find("k") != nullptr) {
    return Refuse("k", "absent unless architecture is topk",
                  Shown(root.Find("k")));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(config.hook, ReadHook(root));
  ALIGNSAE_RETURN_IF_ERROR(ReadAlignSae(root, config));
  ALIGNSAE_RETURN_IF_ERROR(CheckSaeConfig(config));
  return config;
}

std::string SaeConfigToJson(const SaeConfig& config) {
  nlohmann::ordered_json root;
  root["architecture"] = std::string(ArchitectureOf(config.activation));
  root["d_in"] = config.d_model;
  root["d_sae"] = config.n_features;
  if (config.activation == SaeActivation::kTopK) root["k"] = config.k;
  root["dtype"] = "float32";
  root["apply_b_dec_to_input"] = false;
  root["normalize_activations"] = "none";
  root["metadata"]["hook_name"] = HookName(config.hook);
  root["alignsae"] = {{"format_version", kFormatVersion},
                      {"scale", config.scale},
                      {"concepts", ConceptsToJson(config.concepts)}};
  if (config.trained != TrainedPositions::kUnknown) {
    root["alignsae"][kTrainedKey] =
        std::string(TrainedPositionsName(config.trained));
  }
  // Names that are not UTF-8 are replaced instead of thrown on.
  return root.dump(2, ' ', /*ensure_ascii=*/false,
                   nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace alignsae
