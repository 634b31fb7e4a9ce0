// SaeConfig: what an AlignSAE checkpoint is, and its cfg.json. Free of
// LibTorch.
//
// Directory layout: cfg.json + sae_weights.safetensors with W_enc [D, F],
// b_enc [F], W_dec [F, D], b_dec [D] and, for jumprelu, threshold [F].
// cfg.json uses SAELens's keys where they exist (d_in, d_sae, architecture, k,
// metadata.hook_name) and an "alignsae" object for the rest:
//
//   {"architecture": "topk", "d_in": 768, "d_sae": 1536, "k": 32,
//    "dtype": "float32", "apply_b_dec_to_input": false,
//    "normalize_activations": "none",
//    "metadata": {"hook_name": "blocks.6.hook_resid_pre"},
//    "alignsae": {"format_version": 1, "scale": 71.5, "concepts": [
//      {"name": "birth_city", "slot": 0, "description": "", "example": "",
//       "active_mean": 4.2, "threshold": 1.1}], "trained_positions": "last"}}
//
// "trained_positions" may be absent: then it is not known.
// An unknown key is an error, and so is a SAELens switch that would change the
// formula of sae.h: what is not computed is refused, never ignored. Without
// "alignsae" it is a file of SAELens (saelens.h).
//
// Thread-safety: value type; free functions.
// Errors: INVALID_ARGUMENT "cfg.json: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_SAE_CONFIG_H_
#define ALIGNSAE_MODEL_SAE_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/steering/concept.h"
#include "model/steering/hook_point.h"
#include "model/steering/trained_positions.h"

namespace alignsae {

// D at most: every product of two sizes stays far from overflow.
inline constexpr int kMaxModelWidth = 1 << 16;

enum class SaeActivation { kIdentity, kRelu, kTopK, kJumpRelu };
absl::StatusOr<SaeActivation> ParseSaeActivation(absl::string_view name);
absl::string_view SaeActivationName(SaeActivation activation);

// How an SAE of SAELens differs from the formula of sae.h. Sae::Load folds it
// into the weights, so that a loaded Sae has none.
struct SaeFolding {
  bool subtract_b_dec = false;  // h - b_dec is encoded.
  bool center_input = false;    // h less its mean over D is encoded.
  // pre of a feature is multiplied by the norm of its row of W_dec, and the row
  // divided by it.
  bool decoder_norms = false;

  friend bool operator==(const SaeFolding&, const SaeFolding&) = default;
};

struct SaeConfig {
  int d_model = 0;     // D
  int n_features = 0;  // F = R + K
  HookPoint hook;
  SaeActivation activation = SaeActivation::kRelu;
  int k = 0;                      // Free features kept per row; topk only.
  double scale = 1;               // s: mean residual norm at the hook.
  std::vector<Concept> concepts;  // R entries, distinct names and slots.
  SaeFolding folding = {};
  // Whether topk and jumprelu act on concept slots as on free features: the
  // concepts are names that somebody gave to features.
  bool slots_act_alike = false;
  // Whether its texts began with the tokenizer's <|endoftext|>.
  bool prepend_bos = false;
  TrainedPositions trained = TrainedPositions::kUnknown;

  friend bool operator==(const SaeConfig&, const SaeConfig&) = default;
};

// Whether the values are inside their ranges, whoever made them. ParseSaeConfig
// and everything that takes a config calls it.
absl::Status CheckSaeConfig(const SaeConfig& config);

absl::StatusOr<SaeConfig> ParseSaeConfig(absl::string_view json);
// The inverse, for a config that passes CheckSaeConfig.
std::string SaeConfigToJson(const SaeConfig& config);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAE_CONFIG_H_
