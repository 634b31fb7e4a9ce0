// KvResidency: which positions of which KV slots may have memory, and what is
// to be given back so that all together stay within the budget of tokens.
//
// Decision: the system does the paging. A KV slot is a range of addresses for a
// whole context, whose pages come when they are first written
// (transformer/kv_cache.h). Tables of pages of our own would be looked up in
// every kernel and would buy sharing of pages between requests, which is rare
// here: variants of one prompt read what they share in the first one's slot
// already (fork_plan.h), without a copy, and it is counted once. A beginning
// that is taken from another request is copied (prefix_cache.h) and counted for
// both.
//
// What is given out (Use) counts as if it were written at once, so that the
// bound holds at every moment of a sequence. What nobody needs any more stays
// where it is, warm for the next one, until the budget is exceeded; only then
// it is given back. So a load that never fills the budget makes no call.
//
// Bound: the tokens of the budget, rounded for each slot to whole blocks of
// positions at both ends and to whole pages (KvCache::Trim); and, while the
// beginnings of a step are copied, those that are still copied from.
//
// Thread-safety: not thread-safe; the step thread owns it.

#ifndef ALIGNSAE_MODEL_SCHEDULER_KV_RESIDENCY_H_
#define ALIGNSAE_MODEL_SCHEDULER_KV_RESIDENCY_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "model/engine/step.h"

namespace alignsae {

class KvResidency {
 public:
  KvResidency(int kv_slots, int64_t budget)
      : budget_(budget), resident_(kv_slots) {}

  // These positions of the slot may be written from now on.
  void Use(int kv_slot, const KvRange& range);

  // What of a slot is needed.
  using NeededFn = std::function<KvRange(int kv_slot)>;
  using TrimFn = std::function<void(int kv_slot, const KvRange& keep)>;
  // Gives back what is not needed, slot by slot, until the rest is within the
  // budget. O(slots) when something has to go, else O(1).
  void TrimToBudget(const NeededFn& needed, const TrimFn& trim);

  int64_t tokens() const { return tokens_; }  // That may have memory.
  int64_t budget() const { return budget_; }

 private:
  void Set(int kv_slot, const KvRange& range);

  const int64_t budget_;
  std::vector<KvRange> resident_;  // By KV slot.
  int64_t tokens_ = 0;             // Of all of them.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_KV_RESIDENCY_H_
