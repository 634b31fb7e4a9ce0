// Gpt2: the frozen language model's forward pass over packed rows.
//
// One call runs one step: rows of different sequences, each with its own length
// and place in the KV cache, are packed into one [N, D] residual stream. Rows
// may leave early (readouts stop at their hook), and only the last position of
// rows that want logits meets the head. Rows that are variants of one prompt
// run as one row up to the site where they part (PackedRow::continues).
//
// Letters in shapes: N packed tokens of the step, D d_model, H heads, K head
// dimension, T context length, V vocabulary, S cache slots.
//
// Thread-safety: const after load; one KvCache per thread of execution.
//
// Example:
//   std::vector<PackedRow> rows = {{.kv_slot = 0, .length = 5, .exit_site = 12,
//                                   .logits = true}};
//   at::Tensor logits = model.Forward(token_ids, rows, cache, nullptr);

#ifndef ALIGNSAE_MODEL_GPT2_GPT2_H_
#define ALIGNSAE_MODEL_GPT2_GPT2_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/gpt2/config.h"
#include "model/gpt2/kv_cache.h"
#include "model/gpt2/linear.h"
#include "model/gpt2/packing.h"
#include "model/gpt2/residual_hook.h"
#include "model/gpt2/weight_type.h"
#include "model/gpt2/weights.h"

namespace alignsae {

class Gpt2 {
 public:
  // Loads config.json and model.safetensors.
  static absl::StatusOr<Gpt2> Load(const std::string& directory,
                                   at::Device device = at::kCPU,
                                   WeightType type = WeightType::kF32);
  // Prepares the matrices (see Linear); keeps the embeddings and layer norms.
  Gpt2(const Gpt2Config& config, const Gpt2Weights& weights,
       WeightType type = WeightType::kF32);

  const Gpt2Config& config() const { return config_; }
  WeightType weight_type() const { return type_; }
  at::Device device() const { return wte_.device(); }
  // What a KvCache for this model holds: float32 beside float32 weights,
  // bfloat16 beside the others.
  KvType kv_type() const {
    return type_ == WeightType::kF32 ? KvType::kF32 : KvType::kBf16;
  }
  // Memory of the prepared matrices: what one decode step reads.
  int64_t matrix_bytes() const;

  // Runs the rows' tokens (packed in the order of the rows that start from
  // tokens) through the blocks and writes their keys and values into `cache`,
  // which must be of kv_type(). Returns logits [R, V] float32 of the last
  // position of each row with `logits`, in row order (R may be 0). `hook` may
  // be null. No two rows write the same positions of a slot in the same block.
  at::Tensor Forward(absl::Span<const int32_t> tokens,
                     std::vector<PackedRow> rows, KvCache& cache,
                     ResidualHook* hook) const;

 private:
  struct Block {
    at::Tensor ln_1_weight, ln_1_bias;  // [D], [D]
    Linear c_attn;                      // D -> 3D (q, k, v)
    Linear attn_proj;                   // D -> D
    at::Tensor ln_2_weight, ln_2_bias;  // [D], [D]
    Linear c_fc;                        // D -> I
    Linear mlp_proj;                    // I -> D
  };

  // wte[token] + wpe[position] -> [N, D]
  at::Tensor Embed(absl::Span<const int32_t> tokens,
                   const Packing& packing) const;
  // Runs block `layer` on the residual stream x [N, D], in place. Writes the
  // tokens' keys and values.
  void RunBlock(int layer, const Packing& packing, KvCache& cache,
                at::Tensor& x) const;
  // The last block, for the positions whose logits are wanted: of the others
  // only keys and values are left behind. Repacks.
  void RunLastBlock(KvCache& cache, at::Tensor& x, Packing& packing) const;
  void RunMlp(const Block& block, at::Tensor& x) const;

  Gpt2Config config_;
  WeightType type_;
  at::Tensor wte_;  // [V, D]
  at::Tensor wpe_;  // [T, D]
  std::vector<Block> blocks_;
  // c_attn of the last block in two: D -> D and D -> 2D (k, v).
  Linear last_queries_, last_keys_values_;
  at::Tensor ln_f_weight_, ln_f_bias_;  // [D], [D]
  Linear lm_head_;                      // D -> V
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_GPT2_H_
