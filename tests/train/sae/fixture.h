// Synthetic residuals in which each concept has a direction of its own: seconds
// of training, and what an SAE must learn is known.

#ifndef ALIGNSAE_TESTS_TRAIN_SAE_FIXTURE_H_
#define ALIGNSAE_TESTS_TRAIN_SAE_FIXTURE_H_

#include <ATen/ATen.h>

#include <cstdint>

#include "model/train/sae/checkpoint.h"
#include "model/train/sae/options.h"
#include "model/train/sae/trainer.h"

namespace alignsae {

// Row n asks concept n % 3 of one of `entities` entities: a common part, the
// concept's direction, the entity's direction and noise, of mean norm about 20.
inline SaeDataset SyntheticResiduals(int rows = 240, int entities = 20) {
  constexpr int kWidth = 24;
  constexpr int kConcepts = 3;
  at::Generator generator = at::detail::createCPUGenerator(11);
  const at::Tensor common = at::randn({1, kWidth}, generator);
  const at::Tensor concepts = at::randn({kConcepts, kWidth}, generator);
  const at::Tensor people = at::randn({entities, kWidth}, generator);
  const at::Tensor index = at::arange(rows, at::kLong);
  SaeDataset data;
  data.concepts = kConcepts;
  data.labels = index.remainder(kConcepts);
  const at::Tensor person =
      index.floor_divide(kConcepts).remainder(entities);  // [N]
  data.residuals = 2 * (common + concepts.index_select(0, data.labels) +
                        people.index_select(0, person) +
                        0.1 * at::randn({rows, kWidth}, generator));
  data.first_tokens = 100 + (person * kConcepts + data.labels).remainder(7);
  return data;
}

// The same to train and to calibrate on, at kSyntheticHook.
inline constexpr HookPoint kSyntheticHook = {HookKind::kResidPost, 0};
inline SaeInputs SyntheticInputs() {
  const SaeDataset data = SyntheticResiduals();
  SaeInputs inputs;
  inputs.relations = {"a", "b", "c"};
  for (QuestionResiduals* part : {&inputs.train, &inputs.validation}) {
    part->labels = data.labels;
    part->first_tokens = data.first_tokens;
    part->by_hook[kSyntheticHook] = data.residuals;
  }
  return inputs;
}

inline SaeOptions SmallSaeOptions() {
  SaeOptions options;
  options.free_features = 32;
  options.stage1_epochs = 4;
  options.stage2_epochs = 12;
  options.batch_size = 48;
  options.learning_rate = 2e-2;
  options.value_hidden = 8;
  options.checkpoint_every = 3;
  return options;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_TRAIN_SAE_FIXTURE_H_
