// GptNeoX: GPT-NeoX (Pythia) as a Transformer: rotary positions, and a block
// whose attention and MLP read the same input (or, where the configuration says
// so, follow each other as in GPT-2).
//
// Letters in shapes: as transformer.h; I d_inner.
//
// Thread-safety: see Transformer.

#ifndef ALIGNSAE_MODEL_GPT_NEOX_GPT_NEOX_H_
#define ALIGNSAE_MODEL_GPT_NEOX_GPT_NEOX_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/gpt_neox/config.h"
#include "model/gpt_neox/rotary.h"
#include "model/gpt_neox/weights.h"
#include "model/transformer/attention.h"
#include "model/transformer/block_parts.h"
#include "model/transformer/linear.h"
#include "model/transformer/prepared_parts.h"
#include "model/transformer/transformer.h"

namespace alignsae {

class GptNeoX : public Transformer {
 public:
  // Loads config.json and the weights, block by block.
  static absl::StatusOr<GptNeoX> Load(const std::string& directory,
                                      at::Device device = at::kCPU,
                                      WeightType type = WeightType::kF32,
                                      Keep keep = Keep::kPrepared);

  // The same of what TakeApart gave, without the weights' files.
  static absl::StatusOr<GptNeoX> PutTogether(const std::string& directory,
                                             WeightType type,
                                             const PreparedParts& parts);
  // Of a model on the CPU that keeps its weights prepared. Throws what LibTorch
  // throws.
  PreparedParts TakeApart() const;

  const GptNeoXConfig& config() const { return config_; }
  at::Device device() const override { return rotary_.device(); }
  std::vector<const Linear*> Matrices() const override;
  at::Tensor Unembed(const at::Tensor& x) const override;

 private:
  GptNeoX(const GptNeoXConfig& config, at::Device device, WeightType type);
  absl::Status ReadAll(const GptNeoXWeights& weights, at::Device device);
  absl::Status ReadForFiles(GptNeoXWeights weights);
  void TakeFrom(const PreparedParts& parts);
  void AddBlock(const GptNeoXBlock& block);
  std::shared_ptr<const BlockMatrices> Prepare(const GptNeoXBlock& block) const;
  // Of those that are kept, or read now.
  std::shared_ptr<const BlockMatrices> BlockAt(int layer) const;

  at::Tensor Embed(const at::Tensor& ids,
                   const at::Tensor& positions) const override;
  void RunBlock(int layer, const Packing& packing, KvCache& cache,
                const BlockHook* hook, at::Tensor& x) const override;
  void RunLastBlock(const Packing& packing, const std::vector<int64_t>& kept,
                    const Packing& last, KvCache& cache,
                    at::Tensor& x) const override;
  at::Tensor Logits(const at::Tensor& x) const override;
  // Attends with `queries` [N, D], which are turned, and ends the block.
  void FinishBlock(const BlockMatrices& block, int layer,
                   const at::Tensor& queries, const Packing& packing,
                   const KvCache& cache, const BlockHook* hook,
                   at::Tensor& x) const;
  AttentionShape Attention() const;

  GptNeoXConfig config_;
  Rotary rotary_;
  at::Tensor embed_in_;  // [V, D]
  Blocks blocks_;
  SplitLinear last_;   // Attention of the last block: D -> D, D -> 2D (k, v).
  NormedLinear head_;  // final_layer_norm, then D -> V
  // Keep::kInFiles: in place of embed_in_, blocks_ and head_'s matrix.
  std::shared_ptr<const GptNeoXWeights> files_;
  NormedMatrix final_norm_;  // Without a matrix.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT_NEOX_GPT_NEOX_H_
