#include "model/engine/device_greedy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <vector>

#include "model/sampling/sampler.h"
#include "tests/support/test_device.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

TEST(DeviceGreedyTest, ChoosesAsTheSamplerDoes) {
  constexpr int kVocabulary = 301;
  at::Tensor logits = UniformTensor({12, kVocabulary}, 9, 5);
  logits[3][40] = logits[3][200] = 20;  // The first of equals.
  logits[4].fill_(-1e3);
  logits[5][0] = 3e38;
  const auto greedy = GreedyOnDevice(logits.to(TestDevice()));
  ASSERT_EQ(greedy.size(), 12u);
  for (int i = 0; i < 12; ++i) {
    const absl::StatusOr<SampledToken> expected = SampleToken(
        {logits.data_ptr<float>() + i * kVocabulary, kVocabulary}, {}, {}, 7);
    ASSERT_TRUE(expected.ok() && greedy[i].ok()) << i;
    EXPECT_EQ(greedy[i]->token, expected->token) << i;
    EXPECT_NEAR(greedy[i]->logprob, expected->logprob, 1e-5) << i;
  }
}

TEST(DeviceGreedyTest, RefusesARowThatIsNotFiniteAndNoOther) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  at::Tensor logits = UniformTensor({5, 30}, 2, 6);
  logits[1][7] = kInf;
  logits[2][8] = -kInf;
  logits[3][9] = std::numeric_limits<float>::quiet_NaN();
  const auto greedy = GreedyOnDevice(logits.to(TestDevice()));
  for (int i : {1, 2, 3}) {
    EXPECT_EQ(greedy[i].status().code(), absl::StatusCode::kOutOfRange) << i;
  }
  EXPECT_TRUE(greedy[0].ok() && greedy[4].ok());
}

TEST(DeviceGreedyTest, OnlyForRowsThatNeedTheLargestLogitAlone) {
  EXPECT_TRUE(IsPlainGreedy({}));
  EXPECT_TRUE(IsPlainGreedy({.top_k = 5, .top_p = 0.5, .seed = 3}));
  EXPECT_FALSE(IsPlainGreedy({.temperature = 0.5}));
  EXPECT_FALSE(IsPlainGreedy({.repetition_penalty = 1.1}));
  EXPECT_FALSE(IsPlainGreedy({.frequency_penalty = 0.1}));
  EXPECT_FALSE(IsPlainGreedy({.presence_penalty = 0.1}));
  EXPECT_FALSE(IsPlainGreedy(
      {.logit_bias = std::make_shared<const std::vector<TokenBias>>()}));
  EXPECT_FALSE(IsPlainGreedy({.banned = {3}}));
  EXPECT_FALSE(IsPlainGreedy({.n_logprobs = 1}));
}

}  // namespace
}  // namespace alignsae
