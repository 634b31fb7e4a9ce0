#include "model/scheduler/kv_slot_pool.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "model/base/dcheck.h"

namespace alignsae {

KvSlot& KvSlot::operator=(KvSlot&& other) noexcept {
  if (this != &other) {
    Release();
    pool_ = std::exchange(other.pool_, nullptr);
    index_ = other.index_;
  }
  return *this;
}

void KvSlot::Release() {
  if (pool_ != nullptr) std::exchange(pool_, nullptr)->Return(index_);
}

KvSlotPool::KvSlotPool(int size) : size_(size), free_(size) {
  std::iota(free_.begin(), free_.end(), 0);  // Sorted is a min-heap.
}

std::optional<KvSlot> KvSlotPool::Acquire() {
  if (free_.empty()) return std::nullopt;
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const int index = free_.back();
  free_.pop_back();
  return KvSlot(this, index);
}

void KvSlotPool::Return(int index) {
  ALIGNSAE_DCHECK(index >= 0 && index < size_ && free_count() < size_);
  free_.push_back(index);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

}  // namespace alignsae
