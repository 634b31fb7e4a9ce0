// Losses summed over the steps of one epoch. Part of the training state, so
// that a run that was stopped inside an epoch still reports all of it.
//
// Thread-safety: value type.
// Errors: DATA_LOSS for text that ToJson did not write.

#ifndef ALIGNSAE_MODEL_TRAIN_LM_EPOCH_SUMS_H_
#define ALIGNSAE_MODEL_TRAIN_LM_EPOCH_SUMS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

struct EpochSums {
  double biography_loss = 0;
  double question_loss = 0;
  int biography_steps = 0;
  int question_steps = 0;
  // False: steps of this epoch ran whose losses nobody wrote down.
  bool whole = true;

  void Add(bool questions, double loss) {
    (questions ? question_loss : biography_loss) += loss;
    ++(questions ? question_steps : biography_steps);
  }
  // Means over all steps of the epoch so far; nullopt when not known.
  std::optional<double> MeanBiographyLoss() const {
    return Mean(biography_loss, biography_steps);
  }
  std::optional<double> MeanQuestionLoss() const {
    return Mean(question_loss, question_steps);
  }

  std::string ToJson() const;
  // "": sums that are not whole.
  static absl::StatusOr<EpochSums> FromJson(absl::string_view text);

 private:
  std::optional<double> Mean(double sum, int steps) const {
    if (!whole || steps == 0) return std::nullopt;
    return sum / steps;
  }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_EPOCH_SUMS_H_
