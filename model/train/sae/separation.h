// How well single features tell concepts apart: what stands in for concept
// slots where nobody trained any.
//
// Letters: n prompts, K features, R concepts.
//
// Thread-safety: one thread.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_SEPARATION_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_SEPARATION_H_

#include <ATen/ATen.h>

#include <vector>

namespace alignsae {

// How far each feature's mean on a concept's prompts lies above its mean on the
// others, in standard deviations. Prompts may come in parts: what is kept is
// [R, K], however many there are.
class FeatureSeparation {
 public:
  // z [n, K], has_concept [n, R] bool, on one device.
  void Add(const at::Tensor& z, const at::Tensor& has_concept);
  // [R, K] float64 on the CPU; 0 for features that hardly vary and for a
  // concept that all prompts have, or none.
  at::Tensor Scores() const;

 private:
  int64_t prompts_ = 0;
  at::Tensor sums_, squares_;  // [K]
  at::Tensor own_sums_, own_;  // [R, K], [R]
};

// A feature of its own for each concept, the highest scores first. scores
// [R, K] with K >= R -> R indices.
std::vector<int> BestDistinctFeatures(const at::Tensor& scores);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_SEPARATION_H_
