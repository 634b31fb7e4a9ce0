#include "model/sae/saelens.h"

#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "model/base/json_lines.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

// The value of `key`; null where it is absent.
const Json& ValueOf(const JsonObject& object, const char* key) {
  static const Json* const nothing = new Json();
  const auto it = object.json().find(key);
  return it == object.json().end() ? *nothing : *it;
}

// The first key of `keys` that is there and not null, for keys that got
// another name; the first of all where none is.
const char* KeyThatIsThere(const JsonObject& object,
                           std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!ValueOf(object, key).is_null()) return key;
  }
  return *keys.begin();
}

// A switch; absent or null: `otherwise`.
absl::StatusOr<bool> Switch(const JsonObject& object, const char* key,
                            bool otherwise) {
  const Json& value = ValueOf(object, key);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean()) {
    return object.Refuse(key, "true or false", ShowJson(&value));
  }
  return value.get<bool>();
}

// What would change a number and is not computed: absent, null or `neutral`.
absl::Status OnlyNeutral(const JsonObject& object, const char* key,
                         const Json& neutral, absl::string_view why) {
  const Json& value = ValueOf(object, key);
  if (value.is_null() || value == neutral) return absl::OkStatus();
  return object.Refuse(key, absl::StrCat(ShowJson(&neutral), " or absent", why),
                       ShowJson(&value));
}

absl::Status ReadArchitecture(const JsonObject& root, bool flat,
                              SaeConfig& config) {
  std::string name = "standard";
  if (!flat || !ValueOf(root, "architecture").is_null()) {
    ALIGNSAE_ASSIGN_OR_RETURN(name, root.String("architecture"));
  }
  if (flat) {
    const char* key =
        KeyThatIsThere(root, {"activation_fn_str", "activation_fn"});
    const Json& function = ValueOf(root, key);
    if (function == "topk") {
      name = "topk";
    } else if (!function.is_null() && function != "relu") {
      return root.Refuse(key, "\"relu\" or \"topk\"", ShowJson(&function));
    }
  }
  if (name == "standard") {
    config.activation = SaeActivation::kRelu;
  } else if (name == "topk") {
    config.activation = SaeActivation::kTopK;
  } else if (name == "jumprelu") {
    config.activation = SaeActivation::kJumpRelu;
  } else {
    return root.Refuse("architecture", "standard, topk or jumprelu",
                       Quoted(name));
  }
  if (config.activation != SaeActivation::kTopK) return absl::OkStatus();
  const JsonObject* home = &root;
  absl::StatusOr<JsonObject> arguments = root;
  if (flat && ValueOf(root, "k").is_null()) {
    arguments = root.Object("activation_fn_kwargs");
    ALIGNSAE_RETURN_IF_ERROR(arguments.status());
    home = &*arguments;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(config.k, home->Integer("k", 1, kMaxFeatures));
  return absl::OkStatus();
}

// The model that it was trained on, and its texts. `notes` is "metadata" or, in
// the flat layout, the root.
absl::Status ReadNotes(const JsonObject& notes, bool flat, SaeConfig& config) {
  const char* key = KeyThatIsThere(notes, {"hook_name", "hook_point"});
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string name, notes.String(key));
  ALIGNSAE_ASSIGN_OR_RETURN(
      config.hook,
      ParseHookName(flat ? std::string(key) : absl::StrCat("metadata.", key),
                    name));
  for (const char* head : {"hook_head_index", "hook_point_head_index"}) {
    ALIGNSAE_RETURN_IF_ERROR(
        OnlyNeutral(notes, head, Json(), ": no single head is read"));
  }
  // SAELens took true where the flat layout did not say.
  ALIGNSAE_ASSIGN_OR_RETURN(config.prepend_bos,
                            Switch(notes, "prepend_bos", flat));
  const Json& kwargs = ValueOf(notes, "model_from_pretrained_kwargs");
  if (kwargs.is_null()) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject model,
                            notes.Object("model_from_pretrained_kwargs"));
  ALIGNSAE_ASSIGN_OR_RETURN(config.folding.center_input,
                            Switch(model, "center_writing_weights", false));
  return absl::OkStatus();
}

absl::Status ReadInput(const JsonObject& root, SaeConfig& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(config.folding.subtract_b_dec,
                            Switch(root, "apply_b_dec_to_input", true));
  ALIGNSAE_ASSIGN_OR_RETURN(
      config.folding.decoder_norms,
      Switch(root, "rescale_acts_by_decoder_norm", false));
  if (config.folding.decoder_norms &&
      config.activation != SaeActivation::kTopK) {
    return root.Refuse("rescale_acts_by_decoder_norm",
                       "false unless architecture is topk", "true");
  }
  const Json& norm = ValueOf(root, "normalize_activations");
  if (norm != Json(false)) {
    ALIGNSAE_RETURN_IF_ERROR(
        OnlyNeutral(root, "normalize_activations", "none",
                    ": the residual stream is read as it is; fold the factor "
                    "into the weights before saving"));
  }
  ALIGNSAE_RETURN_IF_ERROR(
      OnlyNeutral(root, "reshape_activations", "none", ""));
  return OnlyNeutral(root, "finetuning_scaling_factor", false,
                     ": fold the factors into W_dec before saving");
}

}  // namespace

std::string HookName(const HookPoint& hook) {
  return absl::StrCat("blocks.", hook.layer, ".hook_", HookKindName(hook.kind));
}

absl::StatusOr<HookPoint> ParseHookName(absl::string_view key,
                                        absl::string_view name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '.');
  if (parts.size() == 3) {
    HookPoint hook;
    absl::string_view kind = parts[2];
    absl::ConsumePrefix(&kind, "hook_");
    hook.kind = ParseHookKind(kind).value_or(HookKind::kResidPre);
    // Comparing with the canonical spelling refuses "+6", "06" and " 6".
    if (absl::SimpleAtoi(parts[1], &hook.layer) && HookName(hook) == name) {
      return hook;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "cfg.json: ", key, ": must be blocks.<layer>.hook_<kind> with kind ",
      HookKindNames(), ", got ", Quoted(name)));
}

absl::StatusOr<SaeConfig> ParseSaeLensConfig(const JsonObject& root) {
  SaeConfig config;
  const bool flat = !root.Has("metadata");
  if (!flat) {
    ALIGNSAE_RETURN_IF_ERROR(root.OnlyKeys(
        {"architecture", "d_in", "d_sae", "k", "dtype", "device",
         "apply_b_dec_to_input", "normalize_activations", "reshape_activations",
         "rescale_acts_by_decoder_norm", "metadata"}));
  }
  ALIGNSAE_RETURN_IF_ERROR(ReadArchitecture(root, flat, config));
  ALIGNSAE_ASSIGN_OR_RETURN(config.d_model,
                            root.Integer("d_in", 1, kMaxModelWidth));
  ALIGNSAE_ASSIGN_OR_RETURN(config.n_features,
                            root.Integer("d_sae", 1, kMaxFeatures));
  ALIGNSAE_RETURN_IF_ERROR(ReadInput(root, config));
  if (flat) {
    ALIGNSAE_RETURN_IF_ERROR(ReadNotes(root, flat, config));
  } else {
    ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject notes, root.Object("metadata"));
    ALIGNSAE_RETURN_IF_ERROR(ReadNotes(notes, flat, config));
  }
  config.slots_act_alike = true;
  config.trained = TrainedPositions::kAll;  // Of running text.
  ALIGNSAE_RETURN_IF_ERROR(CheckSaeConfig(config));
  return config;
}

absl::StatusOr<std::vector<Concept>> ParseFeatureLabels(absl::string_view jsonl,
                                                        int features) {
  std::vector<Concept> concepts;
  const auto read = [&](const JsonLine& line) -> absl::Status {
    ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject label,
                              JsonObject::Of(line.value, line.place));
    ALIGNSAE_RETURN_IF_ERROR(label.OnlyKeys(
        {"feature", "name", "description", "active_mean", "threshold"}));
    Concept entry;
    ALIGNSAE_ASSIGN_OR_RETURN(entry.slot,
                              label.Integer("feature", 0, features - 1));
    ALIGNSAE_ASSIGN_OR_RETURN(entry.name, label.String("name"));
    if (label.Has("description")) {
      ALIGNSAE_ASSIGN_OR_RETURN(entry.description, label.String("description"));
    }
    for (const auto& [key, value] :
         {std::pair("active_mean", &entry.active_mean),
          std::pair("threshold", &entry.threshold)}) {
      if (!label.Has(key)) continue;
      ALIGNSAE_ASSIGN_OR_RETURN(*value, label.FiniteNumber(key));
    }
    concepts.push_back(std::move(entry));
    return absl::OkStatus();
  };
  ALIGNSAE_RETURN_IF_ERROR(
      ForEachJsonLine(jsonl, absl::StrCat(kLabelsFile, " line "), read));
  ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(concepts, features, kLabelsFile));
  return concepts;
}

std::string FeatureLabelsToJsonl(absl::Span<const Concept> concepts) {
  std::string jsonl;
  for (const Concept& entry : concepts) {
    const nlohmann::ordered_json label = {{"feature", entry.slot},
                                          {"name", entry.name},
                                          {"description", entry.description},
                                          {"active_mean", entry.active_mean},
                                          {"threshold", entry.threshold}};
    absl::StrAppend(
        &jsonl,
        label.dump(-1, ' ', /*ensure_ascii=*/false,
                   nlohmann::ordered_json::error_handler_t::replace),
        "\n");
  }
  return jsonl;
}

}  // namespace alignsae
