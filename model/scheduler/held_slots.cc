#include "model/scheduler/held_slots.h"

#include <algorithm>
#include <climits>

namespace alignsae {
namespace {

template <typename Map>
int Of(const Map& held, const typename Map::key_type& who) {
  const auto found = held.find(who);
  return found == held.end() ? 0 : found->second;
}

}  // namespace

SlotRules SlotRulesFor(int kv_slots) {
  if (kv_slots < 4) return {};
  return {2, (kv_slots + 1) / 2, (3 * kv_slots + 3) / 4};
}

void HeldSlots::Add(const RequestSpec& spec, int sequences) {
  if (!IsSmall(spec)) large_ += sequences;
  origins_[spec.origin] += sequences;
  clients_[{spec.origin, spec.client}] += sequences;
}

int HeldSlots::ShareOf(const QueuedUnit& unit, const SlotRules& rules,
                       bool another_client_waits,
                       bool another_origin_waits) const {
  const RequestSpec& spec = unit.request->spec;
  const int needs = PartSize(unit, 1);
  int share = INT_MAX;
  const auto limit = [&](int most, int held) {
    if (most == 0) return;
    // What needs more together could never run otherwise.
    if (held == 0) most = std::max(most, needs);
    share = std::min(share, std::max(0, most - held));
  };
  limit(spec.max_slots, Of(origins_, spec.origin));
  if (another_client_waits) {
    limit(rules.of_client, Of(clients_, {spec.origin, spec.client}));
  }
  if (another_origin_waits) limit(rules.of_origin, Of(origins_, spec.origin));
  return share < needs ? 0 : share;
}

}  // namespace alignsae
