#include "model/scheduler/slot_pool.h"

#include <algorithm>
#include <functional>
#include <numeric>

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

SlotPool::SlotPool(int slots) : slots_(slots), free_(slots) {
  std::iota(free_.begin(), free_.end(), 0);  // Sorted is a min-heap.
}

std::optional<KvSlot> SlotPool::Acquire() {
  if (free_.empty()) return std::nullopt;
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const int index = free_.back();
  free_.pop_back();
  return KvSlot(this, index);
}

void SlotPool::Return(int index) {
  free_.push_back(index);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

}  // namespace alignsae
