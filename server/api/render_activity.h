// What slots did, as wire messages.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_RENDER_ACTIVITY_H_
#define ALIGNSAE_SERVER_API_RENDER_ACTIVITY_H_

#include "alignsae/v1/concept_service.pb.h"
#include "server/api/slot_watchers.h"

namespace alignsae {

// Pairs of SlotActivity.steered.
inline constexpr int kMaxSteeredPairs = 64;

// All of `message` that the look says: not its info and seconds.
void RenderActivity(const SlotLook::Checkpoint& look,
                    v1::WatchSlotsResponse* message);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_RENDER_ACTIVITY_H_
