// A bundle of what a trainer holds in memory, for an engine to run.
//
// Thread-safety: free function; the bundle is immutable.
// Errors: those of Sae::FromWeights.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_MEMORY_BUNDLE_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_MEMORY_BUNDLE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "model/bundle/bundle.h"

namespace alignsae {

// `end_token` ends an answer; negative: none does. Checkpoint i is called
// "candidate_i"; SAEs, which are trained on the CPU, are moved to where the
// model is. The model's weights are shared, not copied.
absl::StatusOr<std::shared_ptr<const Bundle>> MemoryBundle(
    std::shared_ptr<const Transformer> model,
    std::shared_ptr<const Tokenizer> tokenizer, int32_t end_token,
    std::vector<Sae> saes);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_MEMORY_BUNDLE_H_
