// Mean residual of each concept's prompts: where class-mean starts, the
// class-mean baseline and write certificates come from.
//
// Letters: N prompts, D d_model, R concepts.
//
// Thread-safety: pure function.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_CLASS_MEANS_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_CLASS_MEANS_H_

#include <ATen/ATen.h>

#include "absl/status/statusor.h"

namespace alignsae {

// residuals [N, D], has_concept [N, R] bool; a row may have several concepts,
// or none. -> [R, D] float64 on the CPU.
// INVALID_ARGUMENT when a concept has no row.
absl::StatusOr<at::Tensor> ClassMeans(const at::Tensor& residuals,
                                      const at::Tensor& has_concept);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_CLASS_MEANS_H_
