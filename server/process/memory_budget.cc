#include "server/process/memory_budget.h"

#include <algorithm>

namespace alignsae {
namespace {

// Whether somebody who holds `held` may take `bytes` more of `part`.
bool Fits(int64_t held, int64_t bytes, int64_t part) {
  return held == 0 || held + bytes <= part;
}

template <typename Key>
int64_t HeldBy(const std::map<Key, int64_t>& held, const Key& key) {
  const auto found = held.find(key);
  return found == held.end() ? 0 : found->second;
}

template <typename Key>
void Subtract(std::map<Key, int64_t>& held, const Key& key, int64_t bytes) {
  const auto found = held.find(key);
  if ((found->second -= bytes) == 0) held.erase(found);
}

}  // namespace

MemoryBudget::Share& MemoryBudget::Share::operator=(Share&& other) noexcept {
  if (this != &other) {
    ShrinkTo(0);
    budget_ = std::exchange(other.budget_, nullptr);
    owner_ = std::move(other.owner_);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void MemoryBudget::Share::ShrinkTo(int64_t bytes) {
  if (budget_ == nullptr || bytes >= bytes_) return;
  const int64_t given_back = bytes_ - bytes;
  bytes_ = bytes;
  budget_->Return(owner_, given_back);
}

std::optional<MemoryBudget::Share> MemoryBudget::TryTake(const Owner& owner,
                                                         int64_t bytes,
                                                         int64_t of_origin) {
  if (bytes <= 0) return Share();
  int64_t part = limit_ / 4 * 3;
  if (of_origin > 0) part = std::min(part, of_origin);
  MutexLock lock(&mutex_);
  const int64_t held_by_owner = HeldBy(by_owner_, owner);
  const int64_t held_by_origin = HeldBy(by_origin_, owner.origin);
  if (!Fits(used_, bytes, limit_) || !Fits(held_by_owner, bytes, limit_ / 2) ||
      !Fits(held_by_origin, bytes, part)) {
    return std::nullopt;
  }
  used_ += bytes;
  by_origin_[owner.origin] += bytes;
  by_owner_[owner] += bytes;
  return Share(this, owner, bytes);
}

int64_t MemoryBudget::used() const {
  MutexLock lock(&mutex_);
  return used_;
}

void MemoryBudget::Return(const Owner& owner, int64_t bytes) {
  {
    MutexLock lock(&mutex_);
    used_ -= bytes;
    Subtract(by_origin_, owner.origin, bytes);
    Subtract(by_owner_, owner, bytes);
  }
  if (returned_ != nullptr) returned_();
}

}  // namespace alignsae
