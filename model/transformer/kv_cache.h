// KvCache: keys and values of every layer for a fixed number of sequences.
//
// One slot holds one sequence of up to T positions, each at its absolute
// position. Which slots are free is the scheduler's book-keeping; this is only
// the memory. What an earlier owner left in a slot is never read: attention
// reads a row's own positions and those of the prefix that it shares, nothing
// beyond.
//
// Two layouts: blocks of keys for the kernels on the CPU (model/kernels), plain
// rows for LibTorch's operations on other devices, with one spare row behind
// the last slot that padding reads and writes.
//
// Memory by need (kBlocks on the CPU): a slot is a range of addresses for T
// positions in every layer, and the system gives it a page when a position in
// it is first written. So a sequence grows without a copy, kernels read whole
// blocks one behind the other, and the page tables are the system's. Trim gives
// pages back. Which positions may have pages at once is the scheduler's to
// bound (kv_residency.h). The plain layout takes all of its memory at once.
//
// Letters in shapes: S slots, T context length, H heads, K head dimension, T'
// and K' rounded up to whole blocks.
//
// Thread-safety: not thread-safe; the step thread owns it.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_KV_CACHE_H_
#define ALIGNSAE_MODEL_TRANSFORMER_KV_CACHE_H_

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "model/kernels/kernels.h"
#include "model/transformer/facts.h"

namespace alignsae {

class DecodeGraphs;  // decode_graphs.h

enum class KvType { kF32, kBf16 };
enum class KvLayout { kBlocks, kPlain };

class KvCache {
 public:
  // 2 * L * slots * T * D numbers; on the CPU pages are taken on first use.
  // Throws std::bad_alloc when the address space does not suffice. The default
  // layout is the device's.
  KvCache(const TransformerFacts& facts, int slots, at::Device device,
          KvType type = KvType::kF32);
  KvCache(const TransformerFacts& facts, int slots, at::Device device,
          KvType type, KvLayout layout);

  // Movable, not copyable: a copy would share the memory.
  KvCache(KvCache&&) noexcept;
  KvCache& operator=(KvCache&&) noexcept;
  ~KvCache();

  int slots() const { return slots_; }
  int context_length() const { return context_length_; }
  KvType type() const { return type_; }
  KvLayout layout() const { return layout_; }

  // kBlocks: one head of one slot. E is float or Bf16, as type().
  template <typename E>
  HeadCache<E> head(int layer, int slot, int head) const {
    return {static_cast<E*>(keys_[layer].data_ptr()) + slot * key_slot_ +
                head * key_block_,
            static_cast<E*>(values_[layer].data_ptr()) + slot * value_slot_ +
                head * value_block_,
            heads_ * key_block_, heads_ * value_block_};
  }

  // Of `slot` only the positions [begin, end) are needed from here on: what
  // lies in other whole blocks and whole pages of memory goes back to the
  // system, and is zero when it is read again. Of each layer's keys and values
  // a page at each end may stay. Nothing happens in the plain layout. One
  // system call for each end, layer, keys and values.
  void Trim(int slot, int begin, int end);

  // The first `positions` of slot `from`, in the first `layers` blocks, to slot
  // `to`; of kBlocks whole blocks of positions, one run of memory a layer.
  void Copy(int from, int to, int positions, int layers);

  // kPlain: [S * T + 1, H, K], position t of slot s at row s T + t.
  const at::Tensor& keys(int layer) const { return keys_[layer]; }
  const at::Tensor& values(int layer) const { return values_[layer]; }
  // Steps that were recorded on this memory, of one model.
  DecodeGraphs& graphs() { return *graphs_; }

 private:
  int slots_;
  int context_length_;
  int heads_;
  KvType type_;
  KvLayout layout_;
  // Numbers of one block of one head, and of a slot's layer.
  int64_t key_block_ = 0;
  int64_t value_block_ = 0;
  int64_t key_slot_ = 0;
  int64_t value_slot_ = 0;
  // L of [S, T' / 16, H, K, 16], or [S T + 1, H, K].
  std::vector<at::Tensor> keys_;
  // L of [S, T' / 16, H, 16, K'], or [S T + 1, H, K].
  std::vector<at::Tensor> values_;
  std::unique_ptr<DecodeGraphs> graphs_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_KV_CACHE_H_
