// MemoryBudget: how many bytes calls may hold at once, overall and by owner.
//
// What is counted is what somebody outside can make grow: requests that wait,
// answers that are made and not yet taken. A call takes its share before the
// work that needs it, and gives it back when the transport has let go of the
// call, so that peers that do not read hold no more than the budget.
//
// One owner (an origin's name) may hold half of it, and one origin three
// quarters, so that there is always something left for another.
// A share that is larger than its owner's part is given when the owner holds
// nothing: it could never be given otherwise.
//
// Bytes are estimates of what the allocator will have given out; the budget
// leaves room for them to be off.
//
// Blocks: nothing, beyond a mutex that is held for a look at two maps.
//
// Thread-safety: thread-safe. A share must not outlive its budget.
//
// Example:
//   MemoryBudget budget(256 << 20);
//   std::optional<MemoryBudget::Share> share = budget.TryTake(owner, 8 << 20);
//   if (!share.has_value()) return Refuse();

#ifndef ALIGNSAE_SERVER_PROCESS_MEMORY_BUDGET_H_
#define ALIGNSAE_SERVER_PROCESS_MEMORY_BUDGET_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "server/process/owner.h"

namespace alignsae {

class MemoryBudget {
 public:
  // Some bytes of the budget; gives them back when it goes. An empty one holds
  // nothing.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)),
          owner_(std::move(other.owner_)),
          bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept;
    ~Share() { ShrinkTo(0); }

    int64_t bytes() const { return bytes_; }
    // Gives back what is above `bytes`; no effect when it holds less.
    void ShrinkTo(int64_t bytes);

   private:
    friend class MemoryBudget;
    Share(MemoryBudget* budget, Owner owner, int64_t bytes)
        : budget_(budget), owner_(std::move(owner)), bytes_(bytes) {}

    MemoryBudget* budget_ = nullptr;
    Owner owner_;
    int64_t bytes_ = 0;
  };

  explicit MemoryBudget(int64_t limit) : limit_(limit) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // nullopt: it does not fit now. `of_origin`: what the origin may hold at
  // most, if that is less than its part; 0: its part.
  std::optional<Share> TryTake(const Owner& owner, int64_t bytes,
                               int64_t of_origin = 0)
      ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t limit() const { return limit_; }
  int64_t used() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Called, without a lock held, whenever bytes were given back; must not
  // block. Set before the first TryTake.
  void OnReturn(std::function<void()> returned) {
    returned_ = std::move(returned);
  }

 private:
  void Return(const Owner& owner, int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  const int64_t limit_;
  std::function<void()> returned_;
  mutable Mutex mutex_;
  int64_t used_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of those that hold something.
  std::map<std::string, int64_t> by_origin_ ABSL_GUARDED_BY(mutex_);
  std::map<Owner, int64_t> by_owner_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_MEMORY_BUDGET_H_
