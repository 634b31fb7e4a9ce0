// KvAmount: so much of the KV cache, in its two units. A sequence holds one
// slot, and tokens for its prompt and all that it may generate; either may run
// out first.
//
// What is added up stays below 2^31 slots and 2^62 tokens.
//
// Thread-safety: a value type.

#ifndef ALIGNSAE_MODEL_SCHEDULER_KV_AMOUNT_H_
#define ALIGNSAE_MODEL_SCHEDULER_KV_AMOUNT_H_

#include <algorithm>
#include <cstdint>

namespace alignsae {

struct KvAmount {
  int slots = 0;
  int64_t tokens = 0;

  bool FitsInto(const KvAmount& room) const {
    return slots <= room.slots && tokens <= room.tokens;
  }
  KvAmount& operator+=(const KvAmount& other) {
    slots += other.slots;
    tokens += other.tokens;
    return *this;
  }
  // What is left of it; nothing is less than zero.
  KvAmount Without(const KvAmount& other) const {
    return {std::max(0, slots - other.slots),
            std::max(int64_t{0}, tokens - other.tokens)};
  }
  // The less, and the more, of each unit.
  static KvAmount Least(const KvAmount& a, const KvAmount& b) {
    return {std::min(a.slots, b.slots), std::min(a.tokens, b.tokens)};
  }
  static KvAmount Most(const KvAmount& a, const KvAmount& b) {
    return {std::max(a.slots, b.slots), std::max(a.tokens, b.tokens)};
  }
  friend bool operator==(const KvAmount&, const KvAmount&) = default;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_KV_AMOUNT_H_
