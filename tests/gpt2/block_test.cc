// A block's MLP with every activation, in the whole forward pass.

#include "model/gpt2/block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "model/gpt2/gpt2.h"
#include "tests/reference/gpt2_reference.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

TEST(BlockTest, EveryActivationEqualsTheReference) {
  for (const Activation activation : kAllActivations) {
    const Gpt2Config config = {.n_layer = 3,
                               .n_head = 2,
                               .d_model = 16,
                               .d_inner = 40,
                               .context_length = 160,
                               .vocab_size = 61,
                               .activation = activation};
    const Gpt2 model = TinyModel(config);
    const ReferenceGpt2 reference(config, ParametersOf(WideWeights(config, 1)));
    // Few rows and, by another product, many.
    for (int length : {1, 7, 140}) {
      const std::vector<int32_t> tokens = RandomTokens(config, length, 5);
      KvCache cache(config.facts(), 1, at::kCPU);
      const at::Tensor logits = model.Forward(
          tokens,
          {{.length = length, .exit_site = config.n_layer, .logits = 1}}, cache,
          nullptr);
      const at::Tensor expected =
          at::tensor(reference.Run(tokens).logits.back(), at::kDouble);
      EXPECT_LT((logits[0] - expected).abs().max().item<double>(), 1e-4)
          << static_cast<int>(activation) << ", " << length << " tokens";
    }
  }
}

}  // namespace
}  // namespace alignsae
