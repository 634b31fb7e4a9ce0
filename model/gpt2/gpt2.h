// Gpt2: GPT-2 as a Transformer.
//
// Letters in shapes: as transformer.h.
//
// Thread-safety: see Transformer.

#ifndef ALIGNSAE_MODEL_GPT2_GPT2_H_
#define ALIGNSAE_MODEL_GPT2_GPT2_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/gpt2/config.h"
#include "model/gpt2/weights.h"
#include "model/transformer/linear.h"
#include "model/transformer/transformer.h"

namespace alignsae {

class Gpt2 : public Transformer {
 public:
  // Loads config.json and the weights (LoadGpt2Weights).
  static absl::StatusOr<Gpt2> Load(const std::string& directory,
                                   at::Device device = at::kCPU,
                                   WeightType type = WeightType::kF32);
  // Prepares the matrices (see Linear, and balance.h for int8); keeps the
  // embeddings.
  Gpt2(const Gpt2Config& config, const Gpt2Weights& weights,
       WeightType type = WeightType::kF32);

  const Gpt2Config& config() const { return config_; }
  at::Device device() const override { return wte_.device(); }
  int64_t matrix_bytes() const override;
  // By the float32 embeddings where the head is tied to them; else by the head
  // as it was prepared, where int8 has lost channels that ln_f's gain silences.
  at::Tensor Unembed(const at::Tensor& x) const override;

 private:
  struct Block {
    at::Tensor ln_1_weight, ln_1_bias;  // [D], [D]
    Linear c_attn;                      // D -> 3D (q, k, v)
    Linear attn_proj;                   // D -> D
    at::Tensor ln_2_weight, ln_2_bias;  // [D], [D]
    Linear c_fc;                        // D -> I
    Linear mlp_proj;                    // I -> D
  };

  // wte[token] + wpe[position]
  at::Tensor Embed(const at::Tensor& ids,
                   const at::Tensor& positions) const override;
  void RunBlock(int layer, const Packing& packing, KvCache& cache,
                const BlockHook* hook, at::Tensor& x) const override;
  void RunLastBlock(const Packing& packing, const std::vector<int64_t>& kept,
                    const Packing& last, KvCache& cache,
                    at::Tensor& x) const override;
  at::Tensor Logits(const at::Tensor& x) const override;
  static Block Prepare(const Gpt2Block& block, WeightType type);
  // Sets last_queries_ and last_keys_values_, on c_attn's memory if that can
  // be.
  void SplitLastAttention(const Gpt2Block& block, WeightType type);
  // Attends with `queries` [N, D] and ends the block.
  void FinishBlock(int layer, const at::Tensor& queries, const Packing& packing,
                   const KvCache& cache, const BlockHook* hook,
                   at::Tensor& x) const;

  Gpt2Config config_;
  at::Tensor wte_;  // [V, D]
  at::Tensor wpe_;  // [T, D]
  std::vector<Block> blocks_;
  // c_attn of the last block in two: D -> D and D -> 2D (k, v).
  Linear last_queries_, last_keys_values_;
  at::Tensor ln_f_weight_, ln_f_bias_;  // [D], [D]
  Linear lm_head_;                      // D -> V
  at::Tensor unembed_scale_;  // [D]: x W_U = (x unembed_scale_) lm_head_.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_GPT2_H_
