// TrainableSae: an AlignSAE while it is trained. The served one is
// model/sae/sae.h; the two are different types with one file format
// (SaeWeights, SaeConfig).
//
// Concepts lie at slots 0 .. R-1, free features at R .. F-1. All inputs are
// residuals divided by the scale s (mean norm 1).
//
// Letters: B rows of the batch, D d_model, R concepts, K free features, F = R +
// K.
//
// Thread-safety: not thread-safe; one trainer owns it.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_MODEL_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_MODEL_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "model/sae/config.h"
#include "model/sae/sae.h"
#include "model/train/common/optimizer.h"

namespace alignsae {

struct SaeShape {
  int d_model = 0;        // D
  int concepts = 0;       // R
  int free_features = 0;  // K
  SaeActivation activation = SaeActivation::kRelu;
  int k = 0;  // Free features kept per row; topk only, [1, K].
  // topk: the k B strongest free features of all B rows together, so that rows
  // may have more and fewer (Bussmann et al. 2024, "BatchTopK").
  bool of_batch = false;

  int features() const { return concepts + free_features; }
};

// Thresholds start here and move by the straight-through estimator below. Both
// are in units of pre-activations of residuals with mean norm 1.
inline constexpr double kJumpReluInitialThreshold = 0.01;
inline constexpr double kJumpReluBandwidth = 0.02;

// z = pre where pre > threshold, else 0. The step has no gradient for the
// threshold; it is estimated through a rectangle of width `bandwidth` around it
// (Rajamanoharan et al. 2024, "Jumping Ahead", section 3):
//   dz/d threshold = -(threshold / bandwidth) [abs(pre - threshold) <
//   bandwidth/2] dz/d pre       = [pre > threshold]
// pre [B, K], threshold [K] -> [B, K].
at::Tensor JumpRelu(const at::Tensor& pre, const at::Tensor& threshold,
                    double bandwidth);

// How many features of each row are above their threshold. Its gradient for the
// threshold is estimated as that of JumpRelu is:
//   d/d threshold = -(1 / bandwidth) [abs(pre - threshold) < bandwidth/2]
// pre [B, K], threshold [K] -> [B].
at::Tensor CountActive(const at::Tensor& pre, const at::Tensor& threshold,
                       double bandwidth);

enum class SaeInit {
  kUnitRows,  // Decoder rows of norm 1, b_enc 0, b_dec the mean residual.
  // As torch.nn.Linear: W_enc and b_enc uniform within 1 / sqrt(D), b_dec
  // within 1 / sqrt(F).
  kLinear,
};

class TrainableSae {
 public:
  // Random weights in which encoder and decoder are each other's transpose.
  // `seed` decides every value. mean [D].
  TrainableSae(const SaeShape& shape, const at::Tensor& mean, uint64_t seed,
               SaeInit init = SaeInit::kUnitRows);

  // Starts each concept slot at what its class adds to the centre: its decoder
  // row is (class mean - mean of class means), and its pre-activation is 1 at
  // the class mean, 0 at the centre. A class whose mean is the centre keeps its
  // random start. class_means [R, D], of residuals divided by s.
  void StartAtClassMeans(const at::Tensor& class_means);

  struct Output {
    at::Tensor pre;    // [B, F]
    at::Tensor z;      // [B, F]
    at::Tensor x_hat;  // [B, D]
  };
  Output Forward(const at::Tensor& x) const;  // x [B, D]

  const SaeShape& shape() const { return shape_; }
  at::Tensor concept_directions() const {  // [R, D], trained.
    return w_dec_.narrow(0, 0, shape_.concepts);
  }
  at::Tensor free_directions() const {  // [K, D], trained.
    return w_dec_.narrow(0, shape_.concepts, shape_.free_features);
  }
  const at::Tensor& b_dec() const { return b_dec_; }  // [D], trained.
  // Mean over rows of the active free features; jumprelu only. pre [B, F] ->
  // [].
  at::Tensor FreeL0(const at::Tensor& pre) const;
  // The smallest activation that of_batch keeps of these rows. pre [B, F].
  double SmallestKept(const at::Tensor& pre) const;
  // The trained tensors, sharing storage, in a fixed order.
  std::vector<TrainedTensor> Parameters() const;
  // Copies on the CPU, as served. With of_batch `threshold`, from which on a
  // free feature is kept whatever the other rows do, is every free feature's.
  SaeWeights Export(double threshold = 0) const;

 private:
  at::Tensor Activate(const at::Tensor& pre) const;  // [B, F] -> [B, F]
  // Free features that are kept of each row of `pool`.
  int64_t KeptOf(const at::Tensor& pool) const;

  SaeShape shape_;
  at::Tensor w_enc_;  // [D, F]
  at::Tensor b_enc_;  // [F]
  at::Tensor w_dec_;  // [F, D]
  at::Tensor b_dec_;  // [D]
  // Logarithm of the free features' thresholds, which keeps them positive.
  at::Tensor log_threshold_;  // [K], jumprelu only; else undefined.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_MODEL_H_
