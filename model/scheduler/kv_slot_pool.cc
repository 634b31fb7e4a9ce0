#include "model/scheduler/kv_slot_pool.h"

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

KvSlotPool::KvSlotPool(int size) : size_(size) {
  for (int index = 0; index < size; ++index) free_.insert(free_.end(), index);
}

std::optional<KvSlot> KvSlotPool::Acquire() {
  if (free_.empty()) return std::nullopt;
  return Acquire(*free_.begin());
}

std::optional<KvSlot> KvSlotPool::Acquire(int index) {
  if (free_.erase(index) == 0) return std::nullopt;
  return KvSlot(this, index);
}

void KvSlotPool::Return(int index) {
  const bool returned = free_.insert(index).second;
  ALIGNSAE_DCHECK(index >= 0 && index < size_ && returned);
}

}  // namespace alignsae
