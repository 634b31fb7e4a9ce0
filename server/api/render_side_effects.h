// Side effects of a steered arm, and why a guard ended one, as wire messages.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_RENDER_SIDE_EFFECTS_H_
#define ALIGNSAE_SERVER_API_RENDER_SIDE_EFFECTS_H_

#include <cstdint>
#include <vector>

#include "alignsae/v1/generation.pb.h"
#include "alignsae/v1/side_effects.pb.h"
#include "model/scheduler/side_effects.h"
#include "model/steering/catalog.h"

namespace alignsae {

v1::SideEffects RenderSideEffects(const SideEffects& effects,
                                  const Catalog& catalog);
v1::GuardStop RenderGuardStop(const GuardStop& stop, const Catalog& catalog);

// Says in `steered`, which tells side effects, where its tokens part from those
// of the baseline.
void SetFirstDivergence(const std::vector<int32_t>& baseline_ids,
                        const std::vector<int32_t>& steered_ids,
                        v1::ArmResult* steered);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_RENDER_SIDE_EFFECTS_H_
