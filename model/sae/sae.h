// Sae: a trained AlignSAE checkpoint as served.
//
// Two ways to load: concept-only gathers the R concept columns of W_enc and rows
// of W_dec and reads nothing else of the file (37 KB instead of 615 MB for six
// concepts of 100,006 slots); whole holds everything and can also encode free
// features, reconstruct, and REPLACE.
//
//   pre = (h / s) W_enc + b_enc      z = act(pre)      h^ = s (z W_dec + b_dec)
//
// topk and jumprelu act on free features only; concept slots are always kept,
// with ReLU (identity when the activation is identity).
//
// Letters: N rows, D d_model, F features, R concepts.
// Thread-safety: const after load.
// Errors: as model/io/tensor_file.h; INVALID_ARGUMENT names the tensor (shape,
// non-finite value, a concept's decoder row of zero norm).

#ifndef ALIGNSAE_MODEL_SAE_SAE_H_
#define ALIGNSAE_MODEL_SAE_SAE_H_

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/sae/config.h"

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

  // Reads <directory>/cfg.json and <directory>/sae_weights.safetensors.
  static absl::StatusOr<Sae> Load(const std::string& directory, LoadMode mode,
                                  at::Device device = at::kCPU);
  // From parameters in memory (whole). Checks shapes.
  static absl::StatusOr<Sae> FromWeights(const SaeConfig& config,
                                         const SaeWeights& weights);

  const SaeConfig& config() const { return config_; }
  int concept_count() const { return static_cast<int>(config_.concepts.size()); }
  bool whole() const { return weights_.w_enc.defined(); }
  // Index into config().concepts of feature `slot`, or -1.
  int ConceptOfSlot(int slot) const;

  // Concept slots only; h [N, D] -> pre [N, R]. Activation on top of it.
  at::Tensor ConceptPre(const at::Tensor& h) const;
  at::Tensor ConceptActivate(const at::Tensor& pre) const;  // [N, R] -> [N, R]

  // Whole only; h [N, D] -> pre [N, F], z [N, F]; z -> h^ [N, D].
  at::Tensor Pre(const at::Tensor& h) const;
  at::Tensor Activate(const at::Tensor& pre) const;
  at::Tensor Encode(const at::Tensor& h) const { return Activate(Pre(h)); }
  at::Tensor Decode(const at::Tensor& z) const;

  // Rows of W_dec / columns of W_enc in concept order, and calibration.
  const at::Tensor& concept_encoder() const { return concept_w_enc_; }  // [D, R]
  const at::Tensor& concept_decoder() const { return concept_w_dec_; }  // [R, D]
  const at::Tensor& concept_active_mean() const { return active_mean_; }  // [R]
  // Whole only.
  const SaeWeights& weights() const { return weights_; }

 private:
  SaeConfig config_;
  SaeWeights weights_;  // Undefined tensors when concept-only.
  at::Tensor concept_w_enc_;  // [D, R]
  at::Tensor concept_b_enc_;  // [R]
  at::Tensor concept_w_dec_;  // [R, D]
  at::Tensor active_mean_;    // [R]
  at::Tensor free_mask_;      // [F] bool, true on free features (whole only).
};

// Writes cfg.json and sae_weights.safetensors into `directory` (made if absent).
absl::Status SaveSae(const std::string& directory, const SaeConfig& config,
                     const SaeWeights& weights);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAE_SAE_H_
