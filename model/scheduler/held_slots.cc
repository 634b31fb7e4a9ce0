#include "model/scheduler/held_slots.h"

#include <algorithm>
#include <climits>

namespace alignsae {
namespace {

template <typename Map>
KvAmount Of(const Map& held, const typename Map::key_type& who) {
  const auto found = held.find(who);
  return found == held.end() ? KvAmount{} : found->second;
}

KvAmount ShareFor(int slots, const KvAmount& all) {
  return {slots, (all.tokens * slots + all.slots - 1) / all.slots};
}

}  // namespace

SlotRules SlotRulesFor(int kv_slots) {
  if (kv_slots < 4) return {};
  return {2, (kv_slots + 1) / 2, (3 * kv_slots + 3) / 4};
}

KvRules KvRulesFor(const SlotRules& rules, const KvAmount& all) {
  const int64_t small = kSmallPrompt + kShortTokens;
  return {{rules.kept, std::min(rules.kept * small, all.tokens / 8)},
          ShareFor(rules.of_client, all),
          ShareFor(rules.of_origin, all)};
}

void HeldSlots::Add(const RequestSpec& spec, const KvAmount& held) {
  (IsSmall(spec) ? small_ : large_) += held;
  origins_[spec.origin] += held;
  clients_[{spec.origin, spec.client}] += held;
}

KvAmount HeldSlots::ShareOf(const QueuedUnit& unit, const KvRules& rules,
                            bool another_client_waits,
                            bool another_origin_waits) const {
  const RequestSpec& spec = unit.request->spec;
  const KvAmount need = NeedOf(unit);
  KvAmount share = {INT_MAX, INT64_MAX};
  const auto limit = [&](const KvAmount& most, const KvAmount& held) {
    if (most.slots == 0) return;
    // What needs more could never run otherwise.
    share = KvAmount::Least(share, held.slots == 0 ? KvAmount::Most(most, need)
                                                   : most.Without(held));
  };
  limit({spec.max_slots, INT64_MAX}, Of(origins_, spec.origin));
  if (another_client_waits) {
    limit(rules.of_client, Of(clients_, {spec.origin, spec.client}));
  }
  if (another_origin_waits) limit(rules.of_origin, Of(origins_, spec.origin));
  return need.FitsInto(share) ? share : KvAmount{};
}

}  // namespace alignsae
