// KvCache: keys and values of every layer for a fixed number of sequences.
//
// One slot holds one sequence of up to T positions. Which slots are free is the
// scheduler's book-keeping; this is only the memory.
//
// Attention pads the sequences of a batch to one length and masks the rest, so
// it reads numbers beyond a sequence's end: whatever an earlier owner of the
// slot left there. A mask turns any finite number into an exact zero, but not
// NaN or infinity (0 * NaN = NaN). Hence the one rule kept here: beyond a
// sequence's end a slot holds only finite numbers. Write() notes the slots that
// met a non-finite value, and BeginStep() wipes them before they are used for
// something else.
//
// Thread-safety: not thread-safe; the step thread owns it.

#ifndef ALIGNSAE_MODEL_GPT2_KV_CACHE_H_
#define ALIGNSAE_MODEL_GPT2_KV_CACHE_H_

#include <ATen/ATen.h>

#include <vector>

#include "absl/types/span.h"
#include "model/gpt2/config.h"
#include "model/gpt2/residual_hook.h"

namespace alignsae {

class KvCache {
 public:
  // 2 * L * slots * T * D floats; on the CPU pages are taken on first use.
  // Throws std::bad_alloc when the address space does not suffice.
  KvCache(const Gpt2Config& config, int slots, at::Device device);

  // Movable, not copyable: a copy would share the memory.
  KvCache(KvCache&&) = default;
  KvCache& operator=(KvCache&&) = default;

  int slots() const { return slots_; }
  int context_length() const { return context_length_; }
  // Views; the memory itself is [S, H, T, K], so that transpose(1, 2) of a run
  // of slots is ready for a batched product.
  at::Tensor keys(int layer) const {  // [S, T, H, K]
    return keys_[layer].transpose(1, 2);
  }
  at::Tensor values(int layer) const {  // [S, T, H, K]
    return values_[layer].transpose(1, 2);
  }

  // Before the first Write of a step that continues `rows` at their `start`.
  void BeginStep(absl::Span<const PackedRow> rows);

  // Stores token n's keys and values at (slots[n], positions[n]).
  // slots, positions [N] int64; keys, values [N, H, K].
  void Write(int layer, const at::Tensor& slots, const at::Tensor& positions,
             const at::Tensor& keys, const at::Tensor& values);

 private:
  int slots_;
  int context_length_;
  std::vector<at::Tensor> keys_;    // L of [S, H, T, K]
  std::vector<at::Tensor> values_;  // L of [S, H, T, K]
  at::Tensor taint_;  // [S] zero, or NaN where a non-finite value was written.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_KV_CACHE_H_
