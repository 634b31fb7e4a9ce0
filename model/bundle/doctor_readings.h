// What the doctor sees when it runs stored prompts through a model: the
// residual at every hook point, and what an SAE makes of it.
//
// Thread-safety: free functions; they run the model on the calling thread.
// Throw what LibTorch throws.

#ifndef ALIGNSAE_MODEL_BUNDLE_DOCTOR_READINGS_H_
#define ALIGNSAE_MODEL_BUNDLE_DOCTOR_READINGS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <vector>

#include "model/sae/sae.h"
#include "model/steering/hook_point.h"
#include "model/transformer/transformer.h"

namespace alignsae {

// The last tokens' residuals [P, D] at every hook point, each place once.
using DoctorResiduals = std::map<HookPoint, at::Tensor, PlaceOrder>;
DoctorResiduals ResidualsOf(const Transformer& model,
                            const std::vector<std::vector<int32_t>>& prompts);

struct DoctorReadings {
  at::Tensor pre, values;           // [P, R]
  at::Tensor residual_norm;         // [P]
  at::Tensor reconstruction_error;  // [P]; undefined unless the SAE is whole.
};
// On the CPU, float64.
DoctorReadings ReadingsOf(const Sae& sae, const at::Tensor& residuals);

// norm(now - recorded) / norm(recorded); 0 of nothing, and infinite where that
// is not a number.
double Deviation(const at::Tensor& now, const at::Tensor& recorded);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_DOCTOR_READINGS_H_
