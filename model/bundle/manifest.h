// bundle.json: what a bundle holds. Schema in the struct; free of LibTorch.
//
//   {"format_version": 2, "name": "demo", "version": "1.0",
//    "model": {"path": "gpt2", "sha256": "<64 hex digits>"},
//    "prompt_template": "Q: {question}\nA:",
//    "saes": [{"name": "main", "path": "sae/main", "sha256": "...",
//              "hook": {"kind": "resid_pre", "layer": 3},
//              "activation": "relu", "scale": 21.5,
//              "concepts": [...],               // model/steering/concept.h
//              "recommended": {"mode": "SWAP", "alpha": 1.0}}],
//    "evaluation": {},
//    "provenance": {"command": "...", "seed": 7,
//                   "commits": {"<stage>": "<commit>"}},
//    "files": {"gpt2/config.json": "<64 hex digits>", ...},
//    "prompts": [{"text": "...", "concept": "birth_city"}]}
//
// "files" holds every file that changes an answer (files.h). "prompts" and the
// concepts' certificates may be absent; every other key is required and none
// else is allowed. README.md says what may change between versions.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "bundle.json: <key>: must be <rule>, got <value>".
// Paths are relative, below the bundle, without "..".

#ifndef ALIGNSAE_MODEL_BUNDLE_MANIFEST_H_
#define ALIGNSAE_MODEL_BUNDLE_MANIFEST_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/sae/config.h"
#include "model/steering/concept.h"
#include "model/steering/hook_point.h"
#include "model/steering/mode.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct ManifestSae {
  std::string name;
  std::string path;    // "sae/main"
  std::string sha256;  // Of sae_weights.safetensors.
  HookPoint hook;      // {"kind": HookKindNames(), "layer": L}
  std::string activation;
  double scale = 1;
  std::vector<Concept> concepts;
  InterventionMode recommended_mode = InterventionMode::kSwap;
  double recommended_alpha = 1;
};

// A prompt with the concept that it asks for.
struct StoredPrompt {
  std::string text;
  std::string concept_name;
};

inline constexpr int kBundleFormatVersion = 2;

struct Manifest {
  std::string name;
  std::string version;
  std::string model_path;       // "gpt2"
  std::string model_sha256;     // Of model.safetensors.
  std::string prompt_template;  // Contains {question} exactly once, or empty.
  std::vector<ManifestSae> saes;
  nlohmann::json evaluation = nlohmann::json::object();  // Free form.
  std::string provenance_command;
  uint64_t provenance_seed = 0;
  // Commit of the sources that ran each stage; several where a stage was
  // stopped and gone on with by others.
  std::map<std::string, std::string> provenance_commits;
  std::map<std::string, std::string> files;  // Path -> SHA-256.
  std::vector<StoredPrompt> prompts;
};

// Whether `text` may be a bundle's name or version.
absl::Status CheckManifestName(absl::string_view field, absl::string_view text);

// Version 1 is refused with the command that upgrades it.
absl::StatusOr<Manifest> ParseManifest(absl::string_view json);

// Pretty-printed, keys in the schema's order: the same manifest gives the same
// bytes.
std::string ManifestToJson(const Manifest& manifest);

// The entry of a checkpoint with this cfg.json, at the path "sae/<name>"; its
// hash is left empty.
ManifestSae ManifestSaeOf(absl::string_view name, const SaeConfig& config);

// Whether cfg.json (`config`) and bundle.json (`entry`) say the same where both
// speak. FAILED_PRECONDITION "<field>: must be <bundle.json's value> as in
// bundle.json, got <cfg.json's value>".
absl::Status CheckSameAsManifest(const SaeConfig& config,
                                 const ManifestSae& entry);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_MANIFEST_H_
