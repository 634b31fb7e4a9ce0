// KvSlotPool: which rows of the KV cache are free.
//
// A running sequence owns one KV slot of the cache for its whole life. This
// class keeps the books only; the memory is the engine's. ("Slot" alone is a
// concept slot of an SAE everywhere in this project.)
//
// Thread-safety: not thread-safe; the step thread owns it.
// Errors: Acquire() returns nullopt when every KV slot is taken; that is load,
// not a fault.
//
// Example:
//   KvSlotPool pool(16);
//   std::optional<KvSlot> kv_slot = pool.Acquire();
//   if (kv_slot.has_value()) sequence.kv_slot = *std::move(kv_slot);

#ifndef ALIGNSAE_MODEL_SCHEDULER_KV_SLOT_POOL_H_
#define ALIGNSAE_MODEL_SCHEDULER_KV_SLOT_POOL_H_

#include <optional>
#include <set>
#include <utility>

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

 private:
  friend class KvSlotPool;
  KvSlot(KvSlotPool* pool, int index) : pool_(pool), index_(index) {}
  void Release();

  KvSlotPool* pool_;
  int index_;
};

class KvSlotPool {
 public:
  explicit KvSlotPool(int size);

  // The lowest free KV slot, so that a small load touches a small part of the
  // cache. O(log size).
  std::optional<KvSlot> Acquire();
  // This one; nullopt when it is leased. O(log size).
  std::optional<KvSlot> Acquire(int index);

  int size() const { return size_; }
  int free_count() const { return static_cast<int>(free_.size()); }
  const std::set<int>& free() const { return free_; }  // Their indices.

 private:
  friend class KvSlot;
  void Return(int index);

  int size_;
  std::set<int> free_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_KV_SLOT_POOL_H_
