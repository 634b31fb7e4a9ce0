#include "model/bundle/manifest.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/bundle/measured_swaps.h"

namespace alignsae {
namespace {

constexpr absl::string_view kFile = "bundle.json";
constexpr absl::string_view kQuestion = "{question}";
constexpr int kMaxLayer = 4095;
constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kSha256Digits = 64;
constexpr size_t kMaxFiles = 4096;
constexpr size_t kMaxPrompts = 1 << 16;
constexpr absl::string_view kPathRule =
    "a relative path below the bundle without empty, . and .. parts";

// Names become metric labels, table columns and arguments of a command line.
absl::StatusOr<std::string> ReadName(const JsonObject& object,
                                     absl::string_view key) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::string name, object.String(key));
  if (!IsGoodName(name)) return object.Refuse(key, kNameRule, Quoted(name));
  return name;
}

// A path that stays below the bundle whatever it is joined to.
bool StaysBelow(absl::string_view path) {
  const auto bad_part = [](absl::string_view part) {
    return part.empty() || part == "." || part == "..";
  };
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  return path.size() <= kMaxPathBytes && !HasControlCharacter(path) &&
         std::none_of(parts.begin(), parts.end(), bad_part);
}

bool IsSha256(absl::string_view digest) {
  return digest.size() == kSha256Digits &&
         digest.find_first_not_of("0123456789abcdef") ==
             absl::string_view::npos;
}

absl::StatusOr<std::string> ReadPath(const JsonObject& object,
                                     absl::string_view key) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::string path, object.String(key));
  if (!StaysBelow(path)) return object.Refuse(key, kPathRule, Quoted(path));
  return path;
}

absl::StatusOr<std::string> ReadSha256(const JsonObject& object,
                                       absl::string_view key = "sha256") {
  ALIGNSAE_ASSIGN_OR_RETURN(std::string digest, object.String(key));
  if (!IsSha256(digest)) {
    return object.Refuse(key, "64 lower-case hexadecimal digits",
                         Quoted(digest));
  }
  return digest;
}

absl::StatusOr<std::string> ReadPromptTemplate(const JsonObject& root) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::string text, root.String("prompt_template"));
  const absl::string_view view = text;
  const size_t first = view.find(kQuestion);
  if (text.empty() ||
      (first != absl::string_view::npos && view.rfind(kQuestion) == first)) {
    return text;
  }
  return root.Refuse("prompt_template",
                     "empty or text with {question} exactly once",
                     Quoted(text));
}

absl::StatusOr<HookPoint> ReadHook(const JsonObject& sae) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject object, sae.Object("hook"));
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys({"kind", "layer"}));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string kind, object.String("kind"));
  const std::optional<HookKind> known = ParseHookKind(kind);
  if (!known.has_value()) {
    return object.Refuse("kind", HookKindNames(), Quoted(kind));
  }
  HookPoint hook;
  hook.kind = *known;
  ALIGNSAE_ASSIGN_OR_RETURN(hook.layer, object.Integer("layer", 0, kMaxLayer));
  return hook;
}

absl::Status ReadRecommended(const JsonObject& sae, ManifestSae& result) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject object, sae.Object("recommended"));
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys({"mode", "alpha"}));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string name, object.String("mode"));
  const absl::StatusOr<InterventionMode> mode = ParseInterventionMode(name);
  if (!mode.ok()) {
    return object.Refuse(
        "mode", absl::StrCat("one of ", InterventionModeNames()), Quoted(name));
  }
  result.recommended_mode = *mode;
  ALIGNSAE_ASSIGN_OR_RETURN(result.recommended_alpha,
                            object.FiniteNumber("alpha"));
  return absl::OkStatus();
}

absl::StatusOr<ManifestSae> ReadSae(const JsonObject& object) {
  ALIGNSAE_RETURN_IF_ERROR(
      object.OnlyKeys({"name", "path", "sha256", "hook", "activation", "scale",
                       "concepts", "recommended"}));
  ManifestSae result;
  ALIGNSAE_ASSIGN_OR_RETURN(result.name, ReadName(object, "name"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.path, ReadPath(object, "path"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.sha256, ReadSha256(object));
  ALIGNSAE_ASSIGN_OR_RETURN(result.hook, ReadHook(object));
  ALIGNSAE_ASSIGN_OR_RETURN(result.activation, object.String("activation"));
  if (!ParseSaeActivation(result.activation).ok()) {
    return object.Refuse("activation", "identity, relu, topk or jumprelu",
                         Quoted(result.activation));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(result.scale, object.FiniteNumber("scale"));
  if (!(result.scale >= kMinScale && result.scale <= kMaxScale)) {
    return object.Refuse("scale",
                         absl::StrCat("in [", kMinScale, ", ", kMaxScale, "]"),
                         absl::StrCat(result.scale));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(result.concepts, ReadConcepts(object, "concepts"));
  ALIGNSAE_RETURN_IF_ERROR(ReadRecommended(object, result));
  return result;
}

absl::Status ReadSaes(const JsonObject& root, Manifest& manifest) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> objects,
                            root.Objects("saes"));
  absl::flat_hash_set<std::string> names, paths;
  for (const JsonObject& object : objects) {
    ALIGNSAE_ASSIGN_OR_RETURN(ManifestSae next, ReadSae(object));
    if (!names.insert(next.name).second) {
      return object.Refuse("name", "distinct", Quoted(next.name));
    }
    if (!paths.insert(next.path).second) {
      return object.Refuse("path", "distinct", Quoted(next.path));
    }
    manifest.saes.push_back(std::move(next));
  }
  return absl::OkStatus();
}

absl::Status ReadProvenance(const JsonObject& root, Manifest& manifest) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject object, root.Object("provenance"));
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys({"command", "seed", "commits"}));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.provenance_command,
                            object.String("command"));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.provenance_seed, object.Unsigned("seed"));
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject commits, object.Object("commits"));
  for (const auto& item : commits.json().items()) {
    ALIGNSAE_ASSIGN_OR_RETURN(manifest.provenance_commits[item.key()],
                              commits.String(item.key()));
  }
  return absl::OkStatus();
}

// The hash that `object` gives its weights is the one under "files".
absl::Status CheckListed(const JsonObject& object, const Manifest& manifest,
                         const std::string& path, const std::string& sha256) {
  const auto it = manifest.files.find(path);
  if (it != manifest.files.end() && it->second == sha256) {
    return absl::OkStatus();
  }
  return object.Refuse(
      "sha256", absl::StrCat("that of ", path, " in files"),
      it == manifest.files.end() ? "a file that is not listed" : sha256);
}

absl::Status ReadFiles(const JsonObject& root, Manifest& manifest) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject files, root.Object("files"));
  if (files.json().size() > kMaxFiles) {
    return root.Refuse("files", absl::StrCat("at most ", kMaxFiles, " files"),
                       absl::StrCat(files.json().size()));
  }
  for (const auto& item : files.json().items()) {
    if (!StaysBelow(item.key())) {
      return root.Refuse("files", absl::StrCat("of keys that are ", kPathRule),
                         Quoted(item.key()));
    }
    ALIGNSAE_ASSIGN_OR_RETURN(manifest.files[item.key()],
                              ReadSha256(files, item.key()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject model, root.Object("model"));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckListed(model, manifest, manifest.model_path + "/model.safetensors",
                  manifest.model_sha256));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> saes,
                            root.Objects("saes"));
  for (size_t i = 0; i < saes.size(); ++i) {
    const ManifestSae& sae = manifest.saes[i];
    ALIGNSAE_RETURN_IF_ERROR(CheckListed(
        saes[i], manifest, sae.path + "/sae_weights.safetensors", sae.sha256));
  }
  return absl::OkStatus();
}

absl::Status ReadPrompts(const JsonObject& root, Manifest& manifest) {
  if (!root.Has("prompts")) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> prompts,
                            root.Objects("prompts"));
  if (prompts.size() > kMaxPrompts) {
    return root.Refuse("prompts",
                       absl::StrCat("at most ", kMaxPrompts, " prompts"),
                       absl::StrCat(prompts.size()));
  }
  absl::flat_hash_set<std::string> concepts;
  for (const ManifestSae& sae : manifest.saes) {
    for (const Concept& entry : sae.concepts) concepts.insert(entry.name);
  }
  for (const JsonObject& object : prompts) {
    ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys({"text", "concept"}));
    StoredPrompt prompt;
    ALIGNSAE_ASSIGN_OR_RETURN(prompt.text, object.String("text"));
    ALIGNSAE_ASSIGN_OR_RETURN(prompt.concept_name, object.String("concept"));
    if (!concepts.contains(prompt.concept_name)) {
      return object.Refuse("concept", "the name of a concept of a checkpoint",
                           Quoted(prompt.concept_name));
    }
    manifest.prompts.push_back(std::move(prompt));
  }
  return absl::OkStatus();
}

// First, because the other rules are those of this version.
absl::Status CheckVersion(const JsonObject& root) {
  const absl::StatusOr<int> version = root.Integer(
      "format_version", kBundleFormatVersion, kBundleFormatVersion);
  if (version.ok() || !root.Integer("format_version", 1, 1).ok()) {
    return version.status();
  }
  return root.Refuse("format_version", absl::StrCat(kBundleFormatVersion),
                     "1; `alignsae-train bundle upgrade DIR` makes it so");
}

nlohmann::ordered_json SaeJson(const ManifestSae& sae) {
  return {{"name", sae.name},
          {"path", sae.path},
          {"sha256", sae.sha256},
          {"hook",
           {{"kind", std::string(HookKindName(sae.hook.kind))},
            {"layer", sae.hook.layer}}},
          {"activation", sae.activation},
          {"scale", sae.scale},
          {"concepts", ConceptsToJson(sae.concepts)},
          {"recommended",
           {{"mode", InterventionModeName(sae.recommended_mode)},
            {"alpha", sae.recommended_alpha}}}};
}

absl::Status Differs(absl::string_view field, absl::string_view manifest,
                     absl::string_view config) {
  return absl::FailedPreconditionError(absl::StrCat(
      field, ": must be ", manifest, " as in bundle.json, got ", config));
}

absl::Status CheckSameConcept(const std::string& place, const Concept& config,
                              const Concept& entry) {
  const auto fields = [](const Concept& of) {
    nlohmann::ordered_json json = ConceptsToJson({of}).front();
    json.emplace("certificate", nullptr);  // Where there is none.
    return json;
  };
  const nlohmann::ordered_json expected = fields(entry);
  const nlohmann::ordered_json got = fields(config);
  const auto shown = [](const nlohmann::ordered_json& value) {
    return value.dump(-1, ' ', /*ensure_ascii=*/false,
                      nlohmann::ordered_json::error_handler_t::replace);
  };
  for (const auto& [key, value] : expected.items()) {
    if (value == got[key]) continue;
    return Differs(absl::StrCat(place, ".", key), shown(value),
                   shown(got[key]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckManifestName(absl::string_view field,
                               absl::string_view text) {
  if (IsGoodName(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": must be ", kNameRule, ", got ", Quoted(std::string(text))));
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view json) {
  absl::StatusOr<nlohmann::json> parsed = ParseJson(json);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kFile, ": ", parsed.status().message()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject root,
                            JsonObject::Of(*parsed, std::string(kFile)));
  Manifest manifest;
  ALIGNSAE_RETURN_IF_ERROR(CheckVersion(root));
  ALIGNSAE_RETURN_IF_ERROR(root.OnlyKeys(
      {"format_version", "name", "version", "model", "prompt_template", "saes",
       "evaluation", "provenance", "files", "prompts"}));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.name, ReadName(root, "name"));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.version, ReadName(root, "version"));
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject model, root.Object("model"));
  ALIGNSAE_RETURN_IF_ERROR(model.OnlyKeys({"path", "sha256"}));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.model_path, ReadPath(model, "path"));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.model_sha256, ReadSha256(model));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.prompt_template, ReadPromptTemplate(root));
  ALIGNSAE_RETURN_IF_ERROR(ReadSaes(root, manifest));
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject evaluation,
                            root.Object("evaluation"));
  manifest.evaluation = evaluation.json();
  ALIGNSAE_RETURN_IF_ERROR(ReadProvenance(root, manifest));
  ALIGNSAE_RETURN_IF_ERROR(ReadFiles(root, manifest));
  ALIGNSAE_RETURN_IF_ERROR(ReadPrompts(root, manifest));
  ALIGNSAE_RETURN_IF_ERROR(CheckMeasuredSwaps(manifest));
  return manifest;
}

std::string ManifestToJson(const Manifest& manifest) {
  nlohmann::ordered_json saes = nlohmann::ordered_json::array();
  for (const ManifestSae& sae : manifest.saes) saes.push_back(SaeJson(sae));
  nlohmann::ordered_json root = {
      {"format_version", kBundleFormatVersion},
      {"name", manifest.name},
      {"version", manifest.version},
      {"model",
       {{"path", manifest.model_path}, {"sha256", manifest.model_sha256}}},
      {"prompt_template", manifest.prompt_template},
      {"saes", std::move(saes)},
      {"evaluation", manifest.evaluation},
      {"provenance",
       {{"command", manifest.provenance_command},
        {"seed", manifest.provenance_seed},
        {"commits", manifest.provenance_commits}}},
      {"files", manifest.files}};
  for (const StoredPrompt& prompt : manifest.prompts) {
    root["prompts"].push_back(
        {{"text", prompt.text}, {"concept", prompt.concept_name}});
  }
  // Text that is not UTF-8 is replaced instead of thrown on.
  return root.dump(2, ' ', /*ensure_ascii=*/false,
                   nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

ManifestSae ManifestSaeOf(absl::string_view name, const SaeConfig& config) {
  ManifestSae sae;
  sae.name = std::string(name);
  sae.path = absl::StrCat("sae/", name);
  sae.hook = config.hook;
  sae.activation = std::string(SaeActivationName(config.activation));
  sae.scale = config.scale;
  sae.concepts = config.concepts;
  return sae;
}

absl::Status CheckSameAsManifest(const SaeConfig& config,
                                 const ManifestSae& entry) {
  if (!(entry.hook == config.hook)) {
    return Differs("hook", entry.hook.ToString(), config.hook.ToString());
  }
  const absl::string_view activation = SaeActivationName(config.activation);
  if (entry.activation != activation) {
    return Differs("activation", entry.activation, activation);
  }
  if (entry.scale != config.scale) {
    return Differs("scale", ShowNumber(entry.scale), ShowNumber(config.scale));
  }
  if (entry.concepts.size() != config.concepts.size()) {
    return Differs("concepts", absl::StrCat(entry.concepts.size(), " entries"),
                   absl::StrCat(config.concepts.size()));
  }
  for (size_t i = 0; i < entry.concepts.size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(CheckSameConcept(absl::StrCat("concepts[", i, "]"),
                                              config.concepts[i],
                                              entry.concepts[i]));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
