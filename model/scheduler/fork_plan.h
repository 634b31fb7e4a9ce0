// ForkPlan: where variants of one prompt part, so that the engine computes what
// is before it once.
//
// A variant's interventions change the residual stream from their first
// position and their hook on. Everything before the first changed position, and
// at later positions everything below the lowest changed site, is the same for
// all.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_SCHEDULER_FORK_PLAN_H_
#define ALIGNSAE_MODEL_SCHEDULER_FORK_PLAN_H_

#include <vector>

#include "model/scheduler/request.h"
#include "model/steering/catalog.h"

namespace alignsae {

struct ForkPlan {
  int site = 0;      // [0, n_layer]; n_layer: no prompt position is changed.
  int position = 0;  // [0, prompt length); the last one always parts, since
                     // each variant samples for itself.

  // Prompt tokens that a step computes when `variants` feed positions
  // [begin, end): shared ones once, the others for each.
  int Cost(int begin, int end, int variants) const;
  // The largest `end` in (begin, limit] whose cost is within `budget`; at least
  // begin + 1.
  int EndWithin(int begin, int limit, int variants, int budget) const;
};

// `variants` not empty, all with the same prompt.
ForkPlan PlanFork(const std::vector<const SequenceSpec*>& variants,
                  const Catalog& catalog);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_FORK_PLAN_H_
