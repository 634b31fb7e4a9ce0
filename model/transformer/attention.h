// Causal self-attention of a step's packed tokens over the KV cache.
//
// Letters in shapes: as gpt2.h.
//
// Thread-safety: pure but for the cache, which one thread owns.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_ATTENTION_H_
#define ALIGNSAE_MODEL_TRANSFORMER_ATTENTION_H_

#include <ATen/ATen.h>

#include "model/transformer/kv_cache.h"
#include "model/transformer/packing.h"

namespace alignsae {

struct AttentionShape {
  int n_head = 0;
  int head_dim = 0;
  double scale = 1;  // Of the scores, before the softmax.

  int d_model() const { return n_head * head_dim; }
};

// Writes the tokens' keys and values into their rows' slots. keys_values [N,
// 2D] float32; its rows may be a part of longer ones.
void StoreKeysValues(const at::Tensor& keys_values, const Packing& packing,
                     KvCache& cache, const AttentionShape& shape, int layer);

// Attends to what the rows' slots hold up to each token, its own key included,
// and to the prefix that a fork shares. queries [N, D] float32, rows as above
// -> [N, D] of `type` (float32, or bfloat16 where the cache is).
at::Tensor CachedAttention(const at::Tensor& queries, const Packing& packing,
                           const KvCache& cache, const AttentionShape& shape,
                           int layer, at::ScalarType type);

// The same by LibTorch's operations, for a cache in plain layout.
void StorePlain(const at::Tensor& keys_values, const Packing& packing,
                KvCache& cache, const AttentionShape& shape, int layer);
at::Tensor PlainAttention(const at::Tensor& queries, const Packing& packing,
                          const KvCache& cache, const AttentionShape& shape,
                          int layer);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_ATTENTION_H_
