// AdamW (Loshchilov and Hutter, decoupled weight decay), gradient clipping and
// the learning-rate schedule, shared by the language-model and SAE trainers.
// Written here so that the state is plain tensors that a checkpoint can hold,
// and every operation has a fixed order: the same seed gives the same bits.
//
// Thread-safety: not thread-safe; one trainer owns it.
//
// Example:
//   AdamW adam({{"w", w, /*decay=*/true}}, {.beta2 = 0.99});
//   loss.backward();
//   adam.ClipGradNorm(1.0);
//   adam.Step(LearningRate(schedule, step));  // Also clears the gradients.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_OPTIMIZER_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_OPTIMIZER_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace alignsae {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // Times the learning rate; only where decay is set.
};

// A trained tensor. It must require gradients; Step changes it in place.
struct TrainedTensor {
  std::string name;
  at::Tensor value;  // Any shape.
  bool decay = false;
};

class AdamW {
 public:
  AdamW(std::vector<TrainedTensor> parameters, const AdamWOptions& options);

  // Scales all gradients so that their common L2 norm is at most `max_norm`.
  // Returns the norm before. `max_norm` <= 0 only measures.
  double ClipGradNorm(double max_norm);

  // One update at learning rate `lr`, then clears the gradients. Parameters
  // without a gradient are left alone.
  void Step(double lr);

  int64_t steps() const { return steps_; }
  const std::vector<TrainedTensor>& parameters() const { return parameters_; }

  // The moments under "adam.m.<name>" and "adam.v.<name>", sharing storage with
  // the optimiser: a checkpoint writes them, a resume copies into them.
  std::vector<std::pair<std::string, at::Tensor>> State() const;
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  std::vector<TrainedTensor> parameters_;
  std::vector<at::Tensor> m_;  // As parameters_.
  std::vector<at::Tensor> v_;  // As parameters_.
  AdamWOptions options_;
  int64_t steps_ = 0;
};

// Linear warm-up from peak / warmup_steps, times a cosine from 1 down to
// `floor_ratio` over `total_steps`.
struct LearningRateSchedule {
  double peak = 1e-3;
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;
  double floor_ratio = 0.05;
};

double LearningRate(const LearningRateSchedule& schedule, int64_t step);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_OPTIMIZER_H_
