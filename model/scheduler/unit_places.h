// UnitPlaces: the KV slots in which the sequences of a unit start, and what its
// prompt's beginning takes from the prefix cache.
//
// Of variants of one prompt the first one's slot holds what they share
// (fork_plan.h), so that it alone is given the beginning.
//
// Thread-safety: not thread-safe; the step thread's.

#ifndef ALIGNSAE_MODEL_SCHEDULER_UNIT_PLACES_H_
#define ALIGNSAE_MODEL_SCHEDULER_UNIT_PLACES_H_

#include <cstdint>
#include <vector>

#include "model/scheduler/active_request.h"
#include "model/scheduler/kv_slot_pool.h"
#include "model/scheduler/prefix_cache.h"
#include "model/steering/catalog.h"

namespace alignsae {

struct UnitPlaces {
  std::vector<KvSlot> kv_slots;  // One for each sequence, in their order.
  // Owed to the first one, before a row of the unit runs; positions 0: nothing.
  KvCopy beginning;

  // Prompt tokens that the unit was asked for and need not be computed.
  int64_t tokens_saved() const {
    return static_cast<int64_t>(kv_slots.size()) * beginning.positions;
  }
};

// For a unit that fits into what of the KV cache is free.
UnitPlaces TakePlaces(const QueuedUnit& unit, const Catalog& catalog,
                      PrefixCache& cache);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_UNIT_PLACES_H_
