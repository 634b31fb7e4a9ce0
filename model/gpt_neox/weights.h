// GPT-NeoX's parameters, read from Hugging Face's files one block after the
// other, so that no more than one block is held in float32.
//
// Letters in shapes (model/README.md): D d_model, I d_inner, V vocabulary, H
// heads, K head dimension. Matrices are [in, out], y = x W + b: the transpose
// of what the files hold.
//
// Thread-safety: immutable after Open.
// Errors: those of weight_reader.h; for the files, those of weight_files.h.

#ifndef ALIGNSAE_MODEL_GPT_NEOX_WEIGHTS_H_
#define ALIGNSAE_MODEL_GPT_NEOX_WEIGHTS_H_

#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/gpt_neox/config.h"
#include "model/io/weight_files.h"
#include "model/transformer/balance.h"
#include "model/transformer/weight_reader.h"

namespace alignsae {

struct GptNeoXBlock {
  // input_layernorm and query_key_value [D, 3D]. The files interleave by head
  // (q, k, v of head 0, then of head 1, ...); here all q come first, then all
  // k, then all v.
  NormedMatrix attention;
  at::Tensor dense_weight, dense_bias;  // [D, D], [D]
  // post_attention_layernorm and dense_h_to_4h [D, I].
  NormedMatrix inner;
  at::Tensor out_weight, out_bias;  // dense_4h_to_h: [I, D], [D]
};

class GptNeoXWeights {
 public:
  // Every parameter is there under its name and nothing else is, but for what
  // says nothing (masks and inverse frequencies of older files). The head is
  // called embed_out by transformers 4 and lm_head by 5.
  static absl::StatusOr<GptNeoXWeights> Open(const std::string& directory,
                                             const GptNeoXConfig& config);

  absl::StatusOr<at::Tensor> Embedding() const;  // [V, D]
  absl::StatusOr<GptNeoXBlock> Block(int layer) const;
  // final_layer_norm and the head [D, V]; `embedding` is the head of a tied
  // one.
  absl::StatusOr<NormedMatrix> Head(const at::Tensor& embedding) const;
  // final_layer_norm alone, without a matrix.
  absl::StatusOr<NormedMatrix> FinalNorm() const;
  // The embedding, and the head's matrix, where they lie.
  TableFile EmbeddingFile() const;
  TableFile HeadFile() const;

 private:
  GptNeoXWeights(WeightFiles files, const GptNeoXConfig& config)
      : files_(std::move(files)), config_(config) {}

  absl::Status CheckNames();
  TableFile Table(const std::string& name) const;
  // gain and shift of the layer norm `norm`, [D] each.
  absl::Status ReadNorm(const std::string& norm, NormedMatrix* out) const;
  // weight [out, in] of `name`, turned round, and its bias [out].
  absl::Status ReadLinear(const std::string& name, int64_t in, int64_t out,
                          at::Tensor* weight, at::Tensor* bias) const;

  WeightFiles files_;
  GptNeoXConfig config_;
  std::string head_;  // Its name; "": the files have none.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT_NEOX_WEIGHTS_H_
