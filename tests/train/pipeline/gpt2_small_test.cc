// A few real steps at GPT-2 small's size: the preset's shape with GPT-2's own
// vocabulary, 124 M weights. Needs 3 GB of memory.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/gpt2/gpt2.h"
#include "model/train/common/optimizer.h"
#include "model/train/lm/data.h"
#include "model/train/lm/forward.h"
#include "model/train/lm/model.h"
#include "model/train/pipeline/presets.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

TEST(Gpt2SmallTest, LossFallsOverAFewStepsAt124MillionWeights) {
  const LmOptions options = FindPreset("gpt2-small")->lm;
  Gpt2Config config;
  config.n_layer = options.layers;
  config.n_head = options.heads;
  config.d_model = options.width;
  config.d_inner = 4 * options.width;
  config.context_length = options.context;
  config.vocab_size = 50257;
  Gpt2Weights weights = InitGpt2Weights(config, options.seed);
  for (auto& [name, tensor] : weights.Named()) tensor->set_requires_grad(true);

  int64_t count = 0;
  for (const TrainedTensor& t : TrainedParameters(weights)) {
    count += t.value.numel();
  }
  EXPECT_EQ(count, 124439808);

  const std::vector<LmExample> examples = {
      {.tokens = RandomTokens(config, 24, 1), .first_label = 1},
      {.tokens = RandomTokens(config, 16, 2), .first_label = 10}};
  const std::vector<const LmExample*> batch = {&examples[0], &examples[1]};
  const LmBatch collated = Collate(batch, at::kCPU);
  AdamW adam(TrainedParameters(weights),
             {.beta1 = options.beta1,
              .beta2 = options.beta2,
              .weight_decay = options.weight_decay});
  std::vector<double> losses;
  for (int step = 0; step < 4; ++step) {
    at::Tensor loss = LmLoss(config, weights, collated);
    losses.push_back(loss.item<double>());
    loss.backward();
    EXPECT_GT(adam.ClipGradNorm(options.clip_norm), 0);
    adam.Step(options.learning_rate);
  }
  EXPECT_NEAR(losses[0], std::log(50257.0), 0.5);  // Nothing known yet.
  EXPECT_LT(losses[3], losses[0] - 1);
}

}  // namespace
}  // namespace alignsae
