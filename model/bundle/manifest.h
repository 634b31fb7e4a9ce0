// bundle.json: what a bundle holds. Schema in the struct; free of LibTorch.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "bundle.json: <key>: must be <rule>, got <value>";
// an unknown key is an error. Paths are relative, below the bundle, without "..".

#ifndef ALIGNSAE_MODEL_BUNDLE_MANIFEST_H_
#define ALIGNSAE_MODEL_BUNDLE_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/hook_point.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct ManifestConcept {
  std::string name;
  int slot = 0;
  std::string description;
  std::string example;
  double active_mean = 0;
  double threshold = 0;
};

struct ManifestSae {
  std::string name;
  std::string path;    // "sae/main"
  std::string sha256;  // Of sae_weights.safetensors.
  HookPoint hook;      // {"kind": "resid_pre" | "resid_post", "layer": L}
  std::string activation;
  double scale = 1;
  std::vector<ManifestConcept> concepts;
  std::string recommended_mode = "SWAP";
  double recommended_alpha = 1;
};

struct Manifest {
  int format_version = 1;  // Other versions are refused.
  std::string name;
  std::string version;
  std::string model_path;    // "gpt2"
  std::string model_sha256;  // Of model.safetensors.
  std::string prompt_template;  // Contains {question} exactly once, or empty.
  std::vector<ManifestSae> saes;
  nlohmann::json evaluation;  // Object; free form.
  std::string provenance_command;
  uint64_t provenance_seed = 0;
  std::string provenance_commit;
};

absl::StatusOr<Manifest> ParseManifest(absl::string_view json);
std::string ManifestToJson(const Manifest& manifest);

// {question} replaced.
std::string ApplyPromptTemplate(absl::string_view prompt_template,
                                absl::string_view question);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_MANIFEST_H_
