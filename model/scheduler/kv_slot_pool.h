// KvSlotPool: which rows of the KV cache are free.
//
// A running sequence owns one KV slot of the cache for its whole life, and of
// the cache's tokens as many as it may write there, which are given to it at
// its start: so it never waits for one that it has begun with. This class keeps
// the books only; the memory is the engine's. ("Slot" alone is a concept slot
// of an SAE everywhere in this project.)
//
// Thread-safety: not thread-safe; the step thread owns it.
// Errors: Acquire() returns nullopt when every KV slot is taken, or the tokens
// do not suffice; that is load, not a fault.
//
// Example:
//   KvSlotPool pool(64, 16384);
//   std::optional<KvSlot> kv_slot = pool.Acquire({0, 100});
//   if (kv_slot.has_value()) sequence.kv_slot = *std::move(kv_slot);

#ifndef ALIGNSAE_MODEL_SCHEDULER_KV_SLOT_POOL_H_
#define ALIGNSAE_MODEL_SCHEDULER_KV_SLOT_POOL_H_

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "model/engine/step.h"
#include "model/scheduler/kv_amount.h"

namespace alignsae {

class KvSlotPool;

// Lease of one KV slot; gives it back when it goes. Must not outlive its pool.
class KvSlot {
 public:
  KvSlot(KvSlot&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_) {}
  KvSlot& operator=(KvSlot&& other) noexcept;
  ~KvSlot() { Release(); }

  int index() const { return index_; }  // Row of the cache, [0, size).
  const KvRange& writes() const;        // What was asked for.

 private:
  friend class KvSlotPool;
  KvSlot(KvSlotPool* pool, int index) : pool_(pool), index_(index) {}
  void Release();

  KvSlotPool* pool_;
  int index_;
};

class KvSlotPool {
 public:
  KvSlotPool(int size, int64_t tokens);

  // The lowest free KV slot, so that a small load touches a small part of the
  // cache, for a sequence that writes these positions. O(log size).
  std::optional<KvSlot> Acquire(const KvRange& writes);
  // This one; nullopt when it is leased. O(log size).
  std::optional<KvSlot> Acquire(int index, const KvRange& writes);

  int size() const { return size_; }
  int free_count() const { return static_cast<int>(free_.size()); }
  int64_t tokens() const { return tokens_; }
  int64_t tokens_in_use() const { return tokens_in_use_; }
  // What may be acquired.
  KvAmount free_amount() const {
    return {free_count(), tokens_ - tokens_in_use_};
  }
  // Positions that the owner of the slot may write; of a free one none.
  const KvRange& leased(int index) const { return leased_[index]; }
  const std::set<int>& free() const { return free_; }  // Their indices.

 private:
  friend class KvSlot;
  void Return(int index);

  const int size_;
  const int64_t tokens_;
  int64_t tokens_in_use_ = 0;
  std::set<int> free_;
  std::vector<KvRange> leased_;  // By KV slot.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_KV_SLOT_POOL_H_
