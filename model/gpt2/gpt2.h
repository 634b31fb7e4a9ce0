// Gpt2: GPT-2 as a Transformer.
//
// Letters in shapes: as transformer.h.
//
// Thread-safety: see Transformer.

#ifndef ALIGNSAE_MODEL_GPT2_GPT2_H_
#define ALIGNSAE_MODEL_GPT2_GPT2_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/gpt2/config.h"
#include "model/gpt2/weights.h"
#include "model/transformer/block_parts.h"
#include "model/transformer/linear.h"
#include "model/transformer/prepared_parts.h"
#include "model/transformer/transformer.h"

namespace alignsae {

class Gpt2 : public Transformer {
 public:
  // Loads config.json and the weights, block after block.
  static absl::StatusOr<Gpt2> Load(const std::string& directory,
                                   at::Device device = at::kCPU,
                                   WeightType type = WeightType::kF32,
                                   Keep keep = Keep::kPrepared);
  // The same of what TakeApart gave, without the weights' files.
  static absl::StatusOr<Gpt2> PutTogether(const std::string& directory,
                                          WeightType type,
                                          const PreparedParts& parts);
  // Of a model on the CPU that keeps its weights prepared. Throws what LibTorch
  // throws.
  PreparedParts TakeApart() const;
  // Prepares the matrices (see Linear, and balance.h for int8); keeps the
  // embeddings.
  Gpt2(const Gpt2Config& config, const Gpt2Weights& weights,
       WeightType type = WeightType::kF32);

  const Gpt2Config& config() const { return config_; }
  at::Device device() const override { return wpe_.device(); }
  std::vector<const Linear*> Matrices() const override;
  // By the float32 embeddings where the head is tied to them; else by the head
  // as it was prepared, where int8 has lost channels that ln_f's gain silences.
  at::Tensor Unembed(const at::Tensor& x) const override;

 private:
  // wte[token] + wpe[position]
  at::Tensor Embed(const at::Tensor& ids,
                   const at::Tensor& positions) const override;
  void RunBlock(int layer, const Packing& packing, KvCache& cache,
                const BlockHook* hook, at::Tensor& x) const override;
  void RunLastBlock(const Packing& packing, const std::vector<int64_t>& kept,
                    const Packing& last, KvCache& cache,
                    at::Tensor& x) const override;
  at::Tensor Logits(const at::Tensor& x) const override;
  Gpt2(const Gpt2Config& config, WeightType type);
  absl::Status ReadAll(const Gpt2Files& files, at::Device device);
  absl::Status ReadForFiles(Gpt2Files files);
  void TakeFrom(const PreparedParts& parts);
  void SetEnds(const Gpt2Weights& weights);
  void AddBlock(const Gpt2Block& block);
  std::shared_ptr<const BlockMatrices> Prepare(const Gpt2Block& block) const;
  // Of those that are kept, or read now.
  std::shared_ptr<const BlockMatrices> BlockAt(int layer) const;
  // Attends with `queries` [N, D] and ends the block.
  void FinishBlock(const BlockMatrices& block, int layer,
                   const at::Tensor& queries, const Packing& packing,
                   const KvCache& cache, const BlockHook* hook,
                   at::Tensor& x) const;

  Gpt2Config config_;
  at::Tensor wte_;  // [V, D]
  at::Tensor wpe_;  // [T, D]
  Blocks blocks_;
  SplitLinear last_;   // Attention of the last block: D -> D, D -> 2D (k, v).
  NormedLinear head_;  // ln_f, then D -> V
  // Keep::kInFiles: in place of wte_, blocks_ and head_'s matrix.
  std::shared_ptr<const Gpt2Files> files_;
  at::Tensor ln_f_weight_, ln_f_bias_;  // [D], [D]
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_GPT2_H_
