// KvCache: keys and values of every layer for a fixed number of sequences.
//
// One slot holds one sequence of up to T positions. Which slots are free is the
// scheduler's book-keeping; this is only the memory.
//
// Thread-safety: not thread-safe; the step thread owns it.

#ifndef ALIGNSAE_MODEL_GPT2_KV_CACHE_H_
#define ALIGNSAE_MODEL_GPT2_KV_CACHE_H_

#include <vector>

#include <ATen/ATen.h>

#include "model/gpt2/config.h"

namespace alignsae {

class KvCache {
 public:
  // 2 * L * slots * T * D floats, zeroed lazily by the system.
  KvCache(const Gpt2Config& config, int slots, at::Device device);

  int slots() const { return slots_; }
  at::Tensor& keys(int layer) { return keys_[layer]; }      // [S, T, H, K]
  at::Tensor& values(int layer) { return values_[layer]; }  // [S, T, H, K]

 private:
  int slots_;
  std::vector<at::Tensor> keys_;
  std::vector<at::Tensor> values_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_KV_CACHE_H_
