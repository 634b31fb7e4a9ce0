// Causal self-attention of a step's packed tokens over the KV cache.
//
// Letters in shapes: as gpt2.h.
//
// Thread-safety: pure but for the cache, which one thread owns.

#ifndef ALIGNSAE_MODEL_GPT2_ATTENTION_H_
#define ALIGNSAE_MODEL_GPT2_ATTENTION_H_

#include <ATen/ATen.h>

#include "model/gpt2/config.h"
#include "model/gpt2/kv_cache.h"
#include "model/gpt2/packing.h"

namespace alignsae {

// Writes the tokens' keys and values into their rows' slots and attends to
// them, to what the slots hold before them, and to the prefix that a fork
// shares. qkv [N, 3D] float32 (queries, keys, values) -> [N, D] of `type`
// (float32, or bfloat16 where the cache is).
at::Tensor CachedAttention(const at::Tensor& qkv, const Packing& packing,
                           KvCache& cache, const Gpt2Config& config, int layer,
                           at::ScalarType type);

// The two ways to do it, by the cache's layout.
at::Tensor AttentionByKernels(const at::Tensor& qkv, const Packing& packing,
                              KvCache& cache, const Gpt2Config& config,
                              int layer, at::ScalarType type);
at::Tensor AttentionByLibTorch(const at::Tensor& qkv, const Packing& packing,
                               KvCache& cache, const Gpt2Config& config,
                               int layer);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_ATTENTION_H_
