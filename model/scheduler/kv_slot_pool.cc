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

const KvRange& KvSlot::writes() const { return pool_->leased(index_); }

void KvSlot::Release() {
  if (pool_ != nullptr) std::exchange(pool_, nullptr)->Return(index_);
}

KvSlotPool::KvSlotPool(int size, int64_t tokens)
    : size_(size), tokens_(tokens), leased_(size) {
  for (int index = 0; index < size; ++index) free_.insert(free_.end(), index);
}

std::optional<KvSlot> KvSlotPool::Acquire(const KvRange& writes) {
  if (free_.empty()) return std::nullopt;
  return Acquire(*free_.begin(), writes);
}

std::optional<KvSlot> KvSlotPool::Acquire(int index, const KvRange& writes) {
  if (writes.size() > tokens_ - tokens_in_use_) return std::nullopt;
  if (free_.erase(index) == 0) return std::nullopt;
  tokens_in_use_ += writes.size();
  leased_[index] = writes;
  return KvSlot(this, index);
}

void KvSlotPool::Return(int index) {
  const bool returned = free_.insert(index).second;
  ALIGNSAE_DCHECK(index >= 0 && index < size_ && returned);
  tokens_in_use_ -= leased_[index].size();
  leased_[index] = {};
}

}  // namespace alignsae
