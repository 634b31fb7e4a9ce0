// SlotPool: which rows of the KV cache are free.
//
// A running sequence owns one slot of the cache for its whole life. This class
// keeps the books only; the memory is the engine's.
//
// Thread-safety: not thread-safe; the step thread owns it.
// Errors: Acquire() returns nullopt when every slot is taken; that is load, not
// a fault.
//
// Example:
//   SlotPool pool(16);
//   std::optional<KvSlot> slot = pool.Acquire();
//   if (slot.has_value()) sequence.slot = *std::move(slot);

#ifndef ALIGNSAE_MODEL_SCHEDULER_SLOT_POOL_H_
#define ALIGNSAE_MODEL_SCHEDULER_SLOT_POOL_H_

#include <optional>
#include <utility>
#include <vector>

namespace alignsae {

class SlotPool;

// Lease of one slot; gives it back when it goes. Must not outlive its pool.
class KvSlot {
 public:
  KvSlot(KvSlot&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_) {}
  KvSlot& operator=(KvSlot&& other) noexcept;
  ~KvSlot() { Release(); }

  int index() const { return index_; }  // Row of the cache, [0, slots).

 private:
  friend class SlotPool;
  KvSlot(SlotPool* pool, int index) : pool_(pool), index_(index) {}
  void Release();

  SlotPool* pool_;
  int index_;
};

class SlotPool {
 public:
  explicit SlotPool(int slots);

  // The lowest free slot, so that a small load touches a small part of the
  // cache. O(log slots).
  std::optional<KvSlot> Acquire();

  int slots() const { return slots_; }
  int free_count() const { return static_cast<int>(free_.size()); }

 private:
  friend class KvSlot;
  void Return(int index);

  int slots_;
  std::vector<int> free_;  // Min-heap.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_SLOT_POOL_H_
