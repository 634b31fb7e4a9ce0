// What is loaded, as plain data: the part of a bundle that the RPC layer, the
// scheduler and the metrics may know. Tensors stay behind model/engine.
//
// Thread-safety: immutable after load; share by const reference.

#ifndef ALIGNSAE_MODEL_STEERING_CATALOG_H_
#define ALIGNSAE_MODEL_STEERING_CATALOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/steering/concept.h"
#include "model/steering/hook_point.h"
#include "model/steering/intervention.h"
#include "model/steering/mode.h"
#include "model/steering/prepared_weights.h"
#include "model/steering/trained_positions.h"
#include "model/steering/type_measurement.h"
#include "model/steering/validation_prompt.h"

namespace alignsae {

struct ModelInfo {
  std::string name;
  std::string version;
  std::string sha256;  // Of model.safetensors, lower-case hex.
  // Of bundle.json, which holds the hash of every file that changes an answer:
  // the identity of all that is served. Empty without a bundle.
  std::string bundle_sha256;
  int n_layer = 0;
  int n_head = 0;
  int d_model = 0;
  bool parallel_residual = false;  // Has no resid_mid (transformer/facts.h).
  int context_length = 0;          // Positions, prompt and generated together.
  int vocab_size = 0;
  // Any of them ends an answer; empty: none does.
  std::vector<int32_t> eos_token_ids;
  // Put in front of every text and question, for the checkpoints' sake; none
  // where they do not ask for it.
  std::optional<int32_t> bos_token_id = std::nullopt;
  std::string weight_type = "f32";  // As it runs: f32, bf16 or int8.
  std::string weight_type_why;      // Why that one, a sentence.
  // Of the types that were tried, in that order; empty: none was measured.
  std::vector<TypeMeasurement> type_measurements;
  // What multiplies by its matrices, a sentence for each shape.
  std::vector<std::string> kernels;
  // Likewise, of the types that were loaded; empty: none was kept.
  std::vector<PreparedWeights> prepared;
  std::string prompt_template;  // Holds "{question}"; empty: no template.
};

struct CheckpointInfo {
  std::string name;
  std::string sha256;  // Of sae_weights.safetensors.
  HookPoint hook;
  std::string activation;  // identity, relu, topk or jumprelu.
  double scale = 1;        // s of the contracts.
  int n_features = 0;      // F.
  bool whole_sae_loaded = false;
  bool has_gate = false;          // Readings say whether they are outside.
  std::vector<Concept> concepts;  // R entries, in the bundle's order.
  std::optional<InterventionMode> recommended_mode;
  double recommended_alpha = 1;
  TrainedPositions trained = TrainedPositions::kUnknown;
  // Labelled prompts to check it with; may be empty.
  std::vector<ValidationPrompt> validation;
  // Layer, mode and alpha chosen on validation; figures on test wordings.
  std::string evaluation_json;  // As stored in the bundle; may be empty.
  std::string version;  // Of the bundle that it came in; empty without one.
  // Of the model, the first that had it; 0 until it is served.
  uint64_t generation = 0;
};

struct Catalog {
  std::string bundle_name;  // Empty when model and SAE were given apart.
  ModelInfo model;
  std::vector<CheckpointInfo> checkpoints;
  uint64_t generation = 1;  // Rises with every change of what is loaded.

  // Where `intervention` edits.
  const HookPoint& HookOf(const Intervention& intervention) const {
    return intervention.vector != nullptr
               ? intervention.vector->hook
               : checkpoints[intervention.checkpoint].hook;
  }

  // Index into `checkpoints`, or nullopt.
  std::optional<int> FindCheckpoint(const std::string& name) const {
    for (size_t i = 0; i < checkpoints.size(); ++i) {
      if (checkpoints[i].name == name) return static_cast<int>(i);
    }
    return std::nullopt;
  }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_CATALOG_H_
