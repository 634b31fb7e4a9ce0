// Who holds how much of the KV cache, and who may have how much.
//
// Rules, so that nobody waits for what another holds for long:
//
// - A part is kept for small requests (IsSmall): they find it whatever others
//   do. A request that is not small and needs more than the rest has all, once
//   no other such request holds any.
// - While another client waits, one client holds at most `of_client`, and while
//   another origin waits, one origin at most `of_origin`. Alone it may have
//   all. A request that needs more runs when its client, or origin, holds
//   nothing. Nothing is taken away: who comes later waits for the ends of what
//   runs.
// - A request may bring a limit of its origin (a quota), which always holds. It
//   is in slots, of which none holds more than a context.
//
// Each rule holds in both units (KvAmount): many short sequences are bounded by
// slots, few long ones by tokens.
//
// Thread-safety: not thread-safe.

#ifndef ALIGNSAE_MODEL_SCHEDULER_HELD_SLOTS_H_
#define ALIGNSAE_MODEL_SCHEDULER_HELD_SLOTS_H_

#include <map>
#include <string>
#include <utility>

#include "model/scheduler/active_request.h"

namespace alignsae {

// In slots.
struct SlotRules {
  int kept = 0;
  int of_client = 0;  // 0: no rule.
  int of_origin = 0;  // 0: no rule.
};

// For a server of so many KV slots: two are kept, the arms of a Swap; half for
// a client, three quarters for an origin. Below four slots there are no rules.
SlotRules SlotRulesFor(int kv_slots);

// The same with their tokens. What is kept has room for the largest small
// sequence in each slot, but an eighth of all tokens at most; a share of the
// slots is the same share of the tokens.
struct KvRules {
  KvAmount kept;
  KvAmount of_client;  // 0 slots: no rule.
  KvAmount of_origin;  // 0 slots: no rule.
};
KvRules KvRulesFor(const SlotRules& rules, const KvAmount& all);

class HeldSlots {
 public:
  // Sequences of `spec` hold `held`.
  void Add(const RequestSpec& spec, const KvAmount& held);

  const KvAmount& large() const { return large_; }  // What is not small.
  const KvAmount& small() const { return small_; }

  // How much the rules of shares leave to `unit`; no slots: nothing, or not all
  // that it needs together.
  KvAmount ShareOf(const QueuedUnit& unit, const KvRules& rules,
                   bool another_client_waits, bool another_origin_waits) const;

 private:
  KvAmount large_;
  KvAmount small_;
  std::map<std::string, KvAmount> origins_;
  std::map<std::pair<std::string, std::string>, KvAmount> clients_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_HELD_SLOTS_H_
