// Sae: a trained AlignSAE checkpoint as served.
//
// A checkpoint of SAELens (saelens.h) is folded into the formula when it is
// loaded; its concepts are the features that labels.jsonl names, if there is
// one, and topk and jumprelu act on them as on the others.
//
// Two ways to load: concept-only gathers the R concept columns of W_enc and
// rows of W_dec and reads nothing else of the file (37 KB instead of 615 MB for
// six concepts of 100,006 slots); whole holds everything and can also encode
// free features, reconstruct, and REPLACE.
//
//   pre = (h / s) W_enc + b_enc      z = act(pre)      h^ = s (z W_dec + b_dec)
//
// topk and jumprelu act on free features only; concept slots are always kept,
// with ReLU (identity when the activation is identity).
//
// Letters: N rows, D d_model, F features, R concepts.
// Thread-safety: const after load. What gives no tensor runs no operation of
// LibTorch, so that threads without a fence may ask.
// Errors: as model/io/tensor_file.h; INVALID_ARGUMENT names the tensor (shape,
// non-finite value, a concept's decoder row of zero norm). What needs the whole
// SAE may only be called when whole() is true.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(
//       const Sae sae, Sae::Load("sae/main", Sae::LoadMode::kConceptsOnly));
//   const at::Tensor z = sae.ConceptActivate(sae.ConceptPre(h));  // [N, R]

#ifndef ALIGNSAE_MODEL_SAE_SAE_H_
#define ALIGNSAE_MODEL_SAE_SAE_H_

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/sae/config.h"
#include "model/sae/outside_gate.h"

namespace alignsae {

// Parameters as on disk.
struct SaeWeights {
  at::Tensor w_enc;      // [D, F]
  at::Tensor b_enc;      // [F]
  at::Tensor w_dec;      // [F, D]
  at::Tensor b_dec;      // [D]
  at::Tensor threshold;  // [F], jumprelu only; else undefined.
};

class Sae {
 public:
  enum class LoadMode { kConceptsOnly, kWhole };

  // Reads <directory>/cfg.json, <directory>/sae_weights.safetensors,
  // gate.safetensors where there is one and, for a checkpoint of SAELens,
  // labels.jsonl where there is one. One without concepts is loaded whole:
  // there is nothing else to read of it.
  static absl::StatusOr<Sae> Load(const std::string& directory, LoadMode mode,
                                  at::Device device = at::kCPU);
  // From parameters in memory (whole), which are copied: a trainer may go on
  // changing its own. Same checks as Load.
  static absl::StatusOr<Sae> FromWeights(const SaeConfig& config,
                                         const SaeWeights& weights);

  const SaeConfig& config() const { return config_; }
  int concept_count() const {
    return static_cast<int>(config_.concepts.size());
  }
  bool whole() const { return weights_.w_enc.defined(); }
  // Whether W_dec's row of `slot`, in [0, F), has a norm above 0; true where
  // the row is not loaded.
  bool HasDirection(int slot) const;
  // Index into config().concepts of feature `slot`, or -1.
  int ConceptOfSlot(int slot) const;

  // Concept slots only; h [N, D] -> pre [N, R]. Activation on top of it. `h` is
  // on the SAE's device; other floating types are computed in float32.
  at::Tensor ConceptPre(const at::Tensor& h) const;
  at::Tensor ConceptActivate(const at::Tensor& pre) const;  // [N, R] -> [N, R]

  // Whole only; h [N, D] -> pre [N, F], z [N, F]; z -> h^ [N, D].
  at::Tensor Pre(const at::Tensor& h) const;
  at::Tensor Activate(const at::Tensor& pre) const;
  at::Tensor Encode(const at::Tensor& h) const { return Activate(Pre(h)); }
  at::Tensor Decode(const at::Tensor& z) const;
  // Whole only. z of k features of each row's own: slots [N, k] int64 -> [N,
  // k]. k D products a row instead of F D, but for topk, where the row's other
  // features decide.
  at::Tensor SlotValues(const at::Tensor& h, const at::Tensor& slots) const;

  // Rows of W_dec in concept order: [R, D].
  const at::Tensor& concept_decoder() const { return concept_w_dec_; }
  // Feature index of each concept, int64.
  const at::Tensor& concept_slots() const { return concept_slots_; }  // [R]
  // Whole only.
  const SaeWeights& weights() const { return weights_; }
  // nullopt: readings do not say whether they are outside.
  const std::optional<OutsideGate>& gate() const { return gate_; }
  void set_gate(OutsideGate gate) { gate_ = std::move(gate); }

 private:
  // Takes what was read; fills the members that follow from config and weights.
  // `source` begins error messages: a path and ": ", or nothing.
  static absl::StatusOr<Sae> Build(Sae sae, absl::string_view source);
  at::Tensor Scaled(const at::Tensor& h) const;  // h / s in float32, [N, D]

  SaeConfig config_;
  SaeWeights weights_;            // Undefined tensors when concept-only.
  at::Tensor concept_w_enc_;      // [D, R]
  at::Tensor concept_b_enc_;      // [R]
  at::Tensor concept_w_dec_;      // [R, D]
  at::Tensor concept_slots_;      // [R] int64
  at::Tensor concept_threshold_;  // [R], where jumprelu acts on concepts.
  at::Tensor free_mask_;  // [F] bool, true on free features (whole only).
  std::vector<int> no_direction_;  // Slots, ascending (whole only).
  std::optional<OutsideGate> gate_;
};

// INVALID_ARGUMENT 'tensor "W_enc": must have shape ..., got ...' unless
// `weights` are those of a whole SAE with this config.
absl::Status CheckSaeShapes(const SaeConfig& config, const SaeWeights& weights);

// Writes cfg.json and sae_weights.safetensors (float32) into `directory` (made
// if absent), each atomically. Shapes and ranges are checked, values are not: a
// checkpoint of a run that diverged can be written, and Load refuses it.
absl::Status SaveSae(const std::string& directory, const SaeConfig& config,
                     const SaeWeights& weights);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAE_SAE_H_
