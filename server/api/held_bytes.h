// How much memory a call holds for its answer at most: what it takes of the
// budget before the work.
//
// Estimates of what the allocator gives out for events, messages and the bytes
// that gRPC sends, measured at a few sizes and rounded up.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_HELD_BYTES_H_
#define ALIGNSAE_SERVER_API_HELD_BYTES_H_

#include <cstdint>
#include <vector>

#include "model/scheduler/request.h"
#include "model/steering/catalog.h"

namespace alignsae {

// Of the sequences' events and the messages that are made of them.
int64_t HeldBytes(const RequestSpec& spec, const Catalog& catalog);
// Of the features that are read at `positions` positions, beside that.
int64_t HeldFeatureBytes(int64_t positions, int top_k);
// Of `tokens` tokens with their pieces, and the text.
int64_t HeldTokenizeBytes(int64_t tokens, int64_t text_bytes);
// Of tokens as text of `bytes` bytes.
int64_t HeldDetokenizeBytes(int64_t bytes);
// Of what is told of these checkpoints.
int64_t HeldCatalogBytes(const Catalog& catalog,
                         const std::vector<int>& checkpoints,
                         bool include_evaluation);
// Of what a watcher of the checkpoint is told at once.
int64_t HeldActivityBytes(const CheckpointInfo& checkpoint);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_HELD_BYTES_H_
