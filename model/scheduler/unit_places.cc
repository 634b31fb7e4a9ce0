#include "model/scheduler/unit_places.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "model/scheduler/prefix_rules.h"

namespace alignsae {

UnitPlaces TakePlaces(const QueuedUnit& unit, const Catalog& catalog,
                      PrefixCache& cache) {
  const RequestSpec& request = unit.request->spec;
  int takeable = INT_MAX;
  PromptBeginning wanted;
  wanted.scope = request.prefix_scope;
  for (int index : unit.sequences) {
    const SequenceSpec& sequence = request.sequences[index];
    takeable = std::min(takeable, TakeableTokens(sequence));
    wanted.layers = std::max(wanted.layers, BlocksOf(sequence, catalog));
  }
  const std::vector<int32_t>& prompt =
      request.sequences[unit.sequences.front()].prompt;
  wanted.tokens.assign(prompt.begin(), prompt.begin() + takeable);
  const int layers = wanted.layers;

  UnitPlaces places;
  const std::vector<KvRange> writes = WritesOf(request, unit.sequences);
  PrefixCache::Place first = cache.Take(std::move(wanted), writes.front());
  places.beginning = {first.from, first.kv_slot.index(), first.length, layers};
  places.kv_slots.push_back(std::move(first.kv_slot));
  while (places.kv_slots.size() < unit.sequences.size()) {
    places.kv_slots.push_back(cache.TakeEmpty(writes[places.kv_slots.size()]));
  }
  return places;
}

}  // namespace alignsae
