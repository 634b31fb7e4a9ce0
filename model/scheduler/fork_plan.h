// Where variants of one prompt part, so that the engine computes what is before
// it once, and what a chunk of such a prompt costs.
//
// A variant's interventions change the residual stream from their first
// position and their hook on. Everything before the first changed position, and
// at later positions everything below the lowest changed site, is the same for
// all.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_SCHEDULER_FORK_PLAN_H_
#define ALIGNSAE_MODEL_SCHEDULER_FORK_PLAN_H_

#include <vector>

#include "model/scheduler/request.h"
#include "model/steering/catalog.h"

namespace alignsae {

// The fork of `variants`, not empty, all with the same prompt. Its KV slot is
// still to be named. The last position always parts, since each variant samples
// for itself.
PromptFork PlanFork(const std::vector<const SequenceSpec*>& variants,
                    const Catalog& catalog);

// Its position alone, of one variant: that of several is the least.
int PartingPosition(const SequenceSpec& variant);

// Prompt tokens that a step computes when `variants` feed positions
// [begin, end): shared ones once, the others for each.
int ChunkCost(const PromptFork& fork, int begin, int end, int variants);
// The largest end in (begin, limit] whose cost for `variants`, at least one, is
// within `budget`; at least begin + 1.
int ChunkEnd(const PromptFork& fork, int begin, int limit, int variants,
             int budget);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_FORK_PLAN_H_
