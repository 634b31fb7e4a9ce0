#include "model/bundle/manifest.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr absl::string_view kFile = "bundle.json";
constexpr absl::string_view kQuestion = "{question}";
constexpr int kFormatVersion = 1;
constexpr int kMaxLayer = 4095;
constexpr int kMaxSlot = (1 << 24) - 1;
constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kSha256Digits = 64;

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

constexpr absl::string_view kNameRule =
    "1 to 128 bytes without control characters";

bool IsGoodName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         !HasControlCharacter(name);
}

// Names become metric labels, table columns and arguments of a command line.
absl::StatusOr<std::string> ReadName(const JsonObject& object,
                                     absl::string_view key) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::string name, object.String(key));
  if (!IsGoodName(name)) return object.Refuse(key, kNameRule, Quoted(name));
  return name;
}

// A path that stays below the bundle whatever it is joined to.
absl::StatusOr<std::string> ReadPath(const JsonObject& object,
                                     absl::string_view key) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::string path, object.String(key));
  const auto bad_part = [](absl::string_view part) {
    return part.empty() || part == "." || part == "..";
  };
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (path.size() > kMaxPathBytes || HasControlCharacter(path) ||
      std::any_of(parts.begin(), parts.end(), bad_part)) {
    return object.Refuse(
        key, "a relative path below the bundle without empty, . and .. parts",
        Quoted(path));
  }
  return path;
}

absl::StatusOr<std::string> ReadSha256(const JsonObject& object) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::string digest, object.String("sha256"));
  if (digest.size() != kSha256Digits ||
      digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return object.Refuse("sha256", "64 lower-case hexadecimal digits",
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
  if (kind != "resid_pre" && kind != "resid_post") {
    return object.Refuse("kind", "resid_pre or resid_post", Quoted(kind));
  }
  HookPoint hook;
  hook.kind = kind == "resid_pre" ? HookKind::kResidPre : HookKind::kResidPost;
  ALIGNSAE_ASSIGN_OR_RETURN(hook.layer, object.Integer("layer", 0, kMaxLayer));
  return hook;
}

absl::StatusOr<ManifestConcept> ReadConcept(const JsonObject& object) {
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys(
      {"name", "slot", "description", "example", "active_mean", "threshold"}));
  ManifestConcept result;
  ALIGNSAE_ASSIGN_OR_RETURN(result.name, ReadName(object, "name"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.slot, object.Integer("slot", 0, kMaxSlot));
  ALIGNSAE_ASSIGN_OR_RETURN(result.description, object.String("description"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.example, object.String("example"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.active_mean,
                            object.FiniteNumber("active_mean"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.threshold, object.FiniteNumber("threshold"));
  return result;
}

absl::StatusOr<std::vector<ManifestConcept>> ReadConcepts(
    const JsonObject& sae) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> objects,
                            sae.Objects("concepts"));
  std::vector<ManifestConcept> concepts;
  absl::flat_hash_map<std::string, size_t> by_name;
  absl::flat_hash_map<int, size_t> by_slot;
  for (size_t i = 0; i < objects.size(); ++i) {
    ALIGNSAE_ASSIGN_OR_RETURN(ManifestConcept next, ReadConcept(objects[i]));
    if (const auto [it, is_new] = by_name.emplace(next.name, i); !is_new) {
      return objects[i].Refuse(
          "name", "distinct",
          absl::StrCat(Quoted(next.name), " as in concepts[", it->second, "]"));
    }
    if (const auto [it, is_new] = by_slot.emplace(next.slot, i); !is_new) {
      return objects[i].Refuse(
          "slot", "distinct",
          absl::StrCat(next.slot, " as in concepts[", it->second, "]"));
    }
    concepts.push_back(std::move(next));
  }
  return concepts;
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
  if (result.scale <= 0) {
    return object.Refuse("scale", "above 0", absl::StrCat(result.scale));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(result.concepts, ReadConcepts(object));
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
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys({"command", "seed", "commit"}));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.provenance_command,
                            object.String("command"));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.provenance_seed, object.Unsigned("seed"));
  ALIGNSAE_ASSIGN_OR_RETURN(manifest.provenance_commit,
                            object.String("commit"));
  return absl::OkStatus();
}

nlohmann::ordered_json SaeJson(const ManifestSae& sae) {
  nlohmann::ordered_json concepts = nlohmann::ordered_json::array();
  for (const ManifestConcept& entry : sae.concepts) {
    concepts.push_back({{"name", entry.name},
                        {"slot", entry.slot},
                        {"description", entry.description},
                        {"example", entry.example},
                        {"active_mean", entry.active_mean},
                        {"threshold", entry.threshold}});
  }
  const bool pre = sae.hook.kind == HookKind::kResidPre;
  return {
      {"name", sae.name},
      {"path", sae.path},
      {"sha256", sae.sha256},
      {"hook",
       {{"kind", pre ? "resid_pre" : "resid_post"}, {"layer", sae.hook.layer}}},
      {"activation", sae.activation},
      {"scale", sae.scale},
      {"concepts", std::move(concepts)},
      {"recommended",
       {{"mode", InterventionModeName(sae.recommended_mode)},
        {"alpha", sae.recommended_alpha}}}};
}

absl::Status Differs(absl::string_view field, absl::string_view manifest,
                     absl::string_view config) {
  return absl::FailedPreconditionError(absl::StrCat(
      field, ": must be ", manifest, " as in bundle.json, got ", config));
}

// Shortest text that gives the same double back.
std::string ShowNumber(double value) { return nlohmann::json(value).dump(); }

absl::Status CheckSameConcept(const std::string& place,
                              const SaeConcept& config,
                              const ManifestConcept& entry) {
  const auto field = [&place](absl::string_view name) {
    return absl::StrCat(place, ".", name);
  };
  for (const auto& [name, expected, got] :
       {std::tuple("name", &entry.name, &config.name),
        std::tuple("description", &entry.description, &config.description),
        std::tuple("example", &entry.example, &config.example)}) {
    if (*expected != *got) {
      return Differs(field(name), Quoted(*expected), Quoted(*got));
    }
  }
  if (entry.slot != config.slot) {
    return Differs(field("slot"), absl::StrCat(entry.slot),
                   absl::StrCat(config.slot));
  }
  for (const auto& [name, expected, got] :
       {std::tuple("active_mean", entry.active_mean, config.active_mean),
        std::tuple("threshold", entry.threshold, config.threshold)}) {
    if (expected != got) {
      return Differs(field(name), ShowNumber(expected), ShowNumber(got));
    }
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
  // First, because the other rules are those of this version.
  ALIGNSAE_ASSIGN_OR_RETURN(
      manifest.format_version,
      root.Integer("format_version", kFormatVersion, kFormatVersion));
  ALIGNSAE_RETURN_IF_ERROR(
      root.OnlyKeys({"format_version", "name", "version", "model",
                     "prompt_template", "saes", "evaluation", "provenance"}));
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
  return manifest;
}

std::string ManifestToJson(const Manifest& manifest) {
  nlohmann::ordered_json saes = nlohmann::ordered_json::array();
  for (const ManifestSae& sae : manifest.saes) saes.push_back(SaeJson(sae));
  const nlohmann::ordered_json root = {
      {"format_version", manifest.format_version},
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
        {"commit", manifest.provenance_commit}}}};
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
  for (const SaeConcept& entry : config.concepts) {
    sae.concepts.push_back({.name = entry.name,
                            .slot = entry.slot,
                            .description = entry.description,
                            .example = entry.example,
                            .active_mean = entry.active_mean,
                            .threshold = entry.threshold});
  }
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

std::string ApplyPromptTemplate(absl::string_view prompt_template,
                                absl::string_view question) {
  const size_t at = prompt_template.find(kQuestion);
  if (at == absl::string_view::npos) return std::string(prompt_template);
  return absl::StrCat(prompt_template.substr(0, at), question,
                      prompt_template.substr(at + kQuestion.size()));
}

}  // namespace alignsae
