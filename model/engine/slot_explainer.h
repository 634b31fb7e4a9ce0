// What a slot writes through the unembedding: the direct way from the hook to
// the logits, without the blocks between.
//
// v = s d_j is what one unit of the slot's value adds at its hook, u_t token
// t's column of the unembedding, g the gain of ln_f:
//
//   without ln_f   v . u_t
//   with ln_f      (g (v - mean(v))) . u_t
//
// The second is exact for a model whose ln_f has the same standard deviation
// with and without v: logits change by it over that deviation. Neither has a
// bias in it. Both are computed by the weights as they are served.
//
// Thread-safety: pure. Computes on the calling thread alone (feature_reader.h
// says why).

#ifndef ALIGNSAE_MODEL_ENGINE_SLOT_EXPLAINER_H_
#define ALIGNSAE_MODEL_ENGINE_SLOT_EXPLAINER_H_

#include "absl/status/statusor.h"
#include "model/engine/step_executor.h"
#include "model/sae/sae.h"
#include "model/transformer/transformer.h"

namespace alignsae {

// FAILED_PRECONDITION for a slot whose direction is not loaded. Throws what
// LibTorch throws.
absl::StatusOr<SlotExplanation> ExplainSlotOf(const Transformer& model,
                                              const Sae& sae, int slot,
                                              int top_k);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_SLOT_EXPLAINER_H_
