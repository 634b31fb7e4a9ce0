// What a concept slot's values mean: the mean where its concept is asked (the
// unit of SET, SWAP and REPLACE), and the value from which on it is bound.
//
// Threshold rule: over the prompts of the validation wordings, the value that
// maximises the share of the concept's own prompts at or above it minus the
// share of other prompts at or above it (Youden's J). Between two neighbouring
// values it is their midpoint; of equally good ones the one with the widest gap
// around it. A slot whose concept never rises above the others gets a threshold
// above everything seen: it is never bound.
//
// A prompt may have several concepts, or none.
//
// Letters: N and M prompts, R concepts.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_CALIBRATION_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_CALIBRATION_H_

#include <ATen/ATen.h>

#include <vector>

#include "absl/types/span.h"

namespace alignsae {

struct ConceptCalibration {
  double active_mean = 0;  // c_j, over the training wordings.
  double threshold = 0;    // From the validation wordings.
  double youden = 0;       // J at the threshold: 1 separates perfectly.
};

// `own`: values where the concept is asked; `others`: where another one is.
struct Threshold {
  double value = 0;
  double youden = 0;
};
Threshold ChooseThreshold(absl::Span<const double> own,
                          absl::Span<const double> others);

// z_train [N, R], own_train [N, R] bool (the prompt has the concept),
// z_validation [M, R], own_validation [M, R] bool -> R entries. Without
// validation prompts the thresholds come from the training ones.
std::vector<ConceptCalibration> CalibrateConcepts(
    const at::Tensor& z_train, const at::Tensor& own_train,
    const at::Tensor& z_validation, const at::Tensor& own_validation);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_CALIBRATION_H_
