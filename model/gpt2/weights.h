// GPT-2's parameters, and reading and writing them in Hugging Face's layout.
//
// Letters in shapes (model/README.md): D d_model, I d_inner, L layers, T
// context length, V vocabulary. Conv1D weights are [in, out] as on disk: y = x
// W + b.
//
// Thread-safety: plain data; const after load.

#ifndef ALIGNSAE_MODEL_GPT2_WEIGHTS_H_
#define ALIGNSAE_MODEL_GPT2_WEIGHTS_H_

#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/gpt2/config.h"
#include "model/io/weight_files.h"
#include "model/transformer/weight_reader.h"

namespace alignsae {

struct Gpt2Block {
  at::Tensor ln_1_weight, ln_1_bias;            // [D], [D]
  at::Tensor c_attn_weight, c_attn_bias;        // [D, 3D] (q, k, v), [3D]
  at::Tensor attn_proj_weight, attn_proj_bias;  // [D, D], [D]
  at::Tensor ln_2_weight, ln_2_bias;            // [D], [D]
  at::Tensor c_fc_weight, c_fc_bias;            // [D, I], [I]
  at::Tensor mlp_proj_weight, mlp_proj_bias;    // [I, D], [D]
};

struct Gpt2Weights {
  at::Tensor wte;                     // [V, D]
  at::Tensor wpe;                     // [T, D]
  std::vector<Gpt2Block> blocks;      // L
  at::Tensor ln_f_weight, ln_f_bias;  // [D], [D]
  at::Tensor lm_head;  // [V, D]; the same tensor as wte when tied.

  // Every parameter once, under its Hugging Face name with the "transformer."
  // prefix ("transformer.h.0.attn.c_attn.weight", ...), in a fixed order.
  std::vector<std::pair<std::string, at::Tensor*>> Named();
};

// Random initialisation as GPT-2's: normal(0, 0.02), residual projections
// scaled by 1/sqrt(2 L), biases 0, layer norms 1. `seed` decides every value.
Gpt2Weights InitGpt2Weights(const Gpt2Config& config, uint64_t seed);

// Reads <directory>/model.safetensors or its shards. Names with and without
// "transformer."; mask buffers (attn.bias, attn.masked_bias) and the head of
// GPT2DoubleHeadsModel are ignored; F16 and BF16 become F32. Errors (each names
// the tensor): a missing, extra or mis-shaped tensor, a non-finite weight; for
// the files, those of weight_files.h.
absl::StatusOr<Gpt2Weights> LoadGpt2Weights(const std::string& directory,
                                            const Gpt2Config& config);

// The same block after block, so that no more than one is held in float32.
class Gpt2Files {
 public:
  // Every parameter is there and nothing else, as LoadGpt2Weights says.
  static absl::StatusOr<Gpt2Files> Open(const std::string& directory,
                                        const Gpt2Config& config);

  absl::StatusOr<Gpt2Block> Block(int layer) const;
  // Embeddings, last norm and head; no blocks.
  absl::StatusOr<Gpt2Weights> Ends() const;
  // ln_f alone, in a Gpt2Weights without anything else.
  absl::StatusOr<Gpt2Weights> FinalNorm() const;

  // wte, and the head's matrix, where they lie.
  TableFile Tokens() const;
  TableFile Head() const;
  absl::StatusOr<at::Tensor> Positions() const;  // wpe

 private:
  Gpt2Files(WeightFiles files, const Gpt2Config& config)
      : files_(std::move(files)), config_(config) {}

  // Reads the parameters whose names begin with `prefix`.
  absl::Status Read(absl::string_view prefix, Gpt2Weights& weights) const;
  TableFile Table(const std::string& name) const;

  WeightFiles files_;
  Gpt2Config config_;
  bool prefixed_ = false;  // Names in the file begin with "transformer.".
};

// Writes config.json and model.safetensors (tied head left out) into
// `directory`.
absl::Status SaveGpt2(const std::string& directory, const Gpt2Config& config,
                      Gpt2Weights& weights);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_WEIGHTS_H_
