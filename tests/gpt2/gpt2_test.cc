#include "model/gpt2/gpt2.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

const Gpt2Config kConfig = {.n_layer = 3,
                            .n_head = 2,
                            .d_model = 16,
                            .d_inner = 40,
                            .context_length = 32,
                            .vocab_size = 61};

TEST(Gpt2Test, TokenByTokenEqualsWholePrompt) {
  const Gpt2 model = TinyModel(kConfig);
  const std::vector<int32_t> tokens = RandomTokens(kConfig, 12, 5);
  KvCache whole(kConfig, 3, at::kCPU), steps(kConfig, 3, at::kCPU);
  const at::Tensor expected = model.Forward(
      tokens, {{.kv_slot = 1, .length = 12, .exit_site = 3, .logits = true}},
      whole, nullptr);
  at::Tensor actual;
  for (int i = 0; i < 12; ++i) {
    actual = model.Forward({&tokens[i], 1},
                           {{.kv_slot = 2,
                             .start = i,
                             .length = 1,
                             .exit_site = 3,
                             .logits = true}},
                           steps, nullptr);
  }
  EXPECT_TRUE(at::allclose(actual, expected, 1e-5, 1e-5));
}

}  // namespace
}  // namespace alignsae
