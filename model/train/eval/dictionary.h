// How good the SAE is as a dictionary: reconstruction, sparsity, and over how
// many features a concept is spread.
//
// Letters: N prompts, D d_model, F features, R concepts.
//
// Thread-safety: pure functions; they throw what LibTorch throws.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_DICTIONARY_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_DICTIONARY_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/sae/sae.h"

namespace alignsae {

struct DictionaryStats {
  // Squared reconstruction error over the residuals' variance; 0 is perfect.
  double fvu = 0;
  double l0 = 0;  // Active free features per prompt.
  int64_t free_features = 0;
  int64_t dead_features =
      0;  // Free features that no training prompt activates.
  // exp(entropy) of the mean activation mass of each concept's prompts: over
  // how many features a concept is spread.
  std::vector<double> effective_features;  // [R], over all F features.
  std::vector<double> effective_slots;     // [R], over the R concept slots.

  double mean_effective_features() const;
  double mean_effective_slots() const;
};

// exp(entropy) of `mass` / sum(mass): 1 when one entry holds all, n when n
// entries share it evenly; 0 without mass. Entries are not negative.
double EffectiveCount(absl::Span<const double> mass);

// `sae` is whole. Residuals h [N, D] with labels [N] int64; training_h [M, D]
// decides which features are dead. On any device.
DictionaryStats MeasureDictionary(const Sae& sae, const at::Tensor& h,
                                  const at::Tensor& labels,
                                  const at::Tensor& training_h);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_DICTIONARY_H_
