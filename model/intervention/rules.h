// Whether a checkpoint can run an intervention.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_INTERVENTION_RULES_H_
#define ALIGNSAE_MODEL_INTERVENTION_RULES_H_

#include "absl/status/status.h"
#include "model/sae/sae.h"
#include "model/steering/intervention.h"

namespace alignsae {

// Whether `sae` can run `intervention`. Call before ApplyEdits. Runs no
// operation of LibTorch: RPC threads call it, outside the fence.
//   NOT_FOUND            a slot that the checkpoint does not have
//   FAILED_PRECONDITION  needs the whole SAE (free slot, REPLACE) where only
//                        concepts are loaded; needs a calibrated mean that the
//                        slot lacks (a free slot, or active_mean 0); source by
//                        default where there is no concept
//   INVALID_ARGUMENT     alpha not finite; i = j; a source for a one-slot mode;
//                        ADD_NORM_MATCHED along a direction of norm 0
absl::Status CheckApplicable(const Sae& sae, const Intervention& intervention);

// Whether alpha is in multiples of c_j.
bool UsesActiveMean(const Intervention& intervention);
// c_j, or 0 where slot j was never calibrated.
double ActiveMean(const Sae& sae, int slot);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_INTERVENTION_RULES_H_
