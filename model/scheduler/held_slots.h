// Who holds how many KV slots, and who may have how many.
//
// Rules, so that nobody waits for what another holds for long:
//
// - Some slots are kept for small requests (IsSmall): they find one whatever
//   others do. A request that is not small and whose sequences need more of
//   them together has all slots, once no other such request holds any.
// - While another client waits, one client holds at most `of_client` slots, and
//   while another origin waits, one origin at most `of_origin`. Alone it may
//   have all. A request that needs more together runs when its client, or
//   origin, holds nothing. Nothing is taken away: who comes later waits for the
//   ends of what runs.
// - A request may bring a limit of its origin (a quota), which always holds.
//
// Thread-safety: not thread-safe.

#ifndef ALIGNSAE_MODEL_SCHEDULER_HELD_SLOTS_H_
#define ALIGNSAE_MODEL_SCHEDULER_HELD_SLOTS_H_

#include <map>
#include <string>
#include <utility>

#include "model/scheduler/active_request.h"

namespace alignsae {

struct SlotRules {
  int kept = 0;
  int of_client = 0;  // 0: no rule.
  int of_origin = 0;  // 0: no rule.
};

// For a server of so many KV slots: two are kept, the arms of a Swap; half for
// a client, three quarters for an origin. Below four slots there are no rules.
SlotRules SlotRulesFor(int kv_slots);

class HeldSlots {
 public:
  // `sequences` of `spec` hold a slot each.
  void Add(const RequestSpec& spec, int sequences);

  int large() const { return large_; }  // Of requests that are not small.

  // How many slots the rules of shares leave to `unit`; 0: none, or not all
  // that it needs together.
  int ShareOf(const QueuedUnit& unit, const SlotRules& rules,
              bool another_client_waits, bool another_origin_waits) const;

 private:
  int large_ = 0;
  std::map<std::string, int> origins_;
  std::map<std::pair<std::string, std::string>, int> clients_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_HELD_SLOTS_H_
