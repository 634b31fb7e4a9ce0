#include "model/sampling/adjust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "tests/sampling/draws.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr float kLowest = std::numeric_limits<float>::lowest();

std::shared_ptr<const std::vector<TokenBias>> Bias(
    std::vector<TokenBias> biases) {
  return std::make_shared<const std::vector<TokenBias>>(std::move(biases));
}

// The formulas, token by token in double precision.
std::vector<double> Reference(const std::vector<float>& logits,
                              const SamplingParams& params,
                              const std::vector<int32_t>& history,
                              int generated) {
  std::vector<double> scores;
  for (int32_t id = 0; id < static_cast<int32_t>(logits.size()); ++id) {
    double score = logits[id];
    if (std::count(history.begin(), history.end(), id) > 0) {
      score = score > 0 ? score / params.repetition_penalty
                        : score * params.repetition_penalty;
    }
    const auto count = std::count(history.end() - generated, history.end(), id);
    score -= static_cast<double>(count) * params.frequency_penalty;
    if (count > 0) score -= params.presence_penalty;
    for (const TokenBias& entry : *params.logit_bias) {
      if (entry.token == id) score += entry.bias;
    }
    scores.push_back(score);
  }
  return scores;
}

TEST(AdjustTest, IsTheFormulasInTheirOrder) {
  const std::vector<float> logits = RandomLogits(40, 3);
  CounterRng rng(5);
  for (int round = 0; round < 50; ++round) {
    SamplingParams params;
    params.repetition_penalty = 0.5 + rng.NextUniform();
    params.frequency_penalty = 4 * rng.NextUniform() - 2;
    params.presence_penalty = 4 * rng.NextUniform() - 2;
    params.logit_bias = Bias({{3, 100}, {7, -2.5f}, {39, -100}});
    std::vector<int32_t> history;
    for (int i = 0; i < 30; ++i) {
      history.push_back(static_cast<int32_t>(12 * rng.NextUniform()));
    }
    const std::vector<double> expected = Reference(logits, params, history, 20);
    const std::vector<float> scores = Adjust(logits, params, history, 20);
    for (size_t i = 0; i < logits.size(); ++i) {
      EXPECT_NEAR(scores[i], expected[i], 1e-4) << round << " " << i;
    }
  }
}

TEST(AdjustTest, ThePromptDoesNotCountForFrequencyAndPresence) {
  SamplingParams params;
  params.frequency_penalty = 0.5;
  params.presence_penalty = 1;
  EXPECT_THAT(Adjust(std::vector<float>{4, 4, 4}, params, {{0, 0, 1, 2, 2}}, 3),
              ElementsAre(4, 2.5f, 2));
  EXPECT_THAT(Adjust(std::vector<float>{4, 4, 4}, params, {{0, 0, 1, 2, 2}}, 0),
              Each(4));
  params.frequency_penalty = -0.5;
  EXPECT_THAT(Adjust(std::vector<float>{4, 4, 4}, params, {{1, 1}}, 2),
              ElementsAre(4, 4, 4));
}

TEST(AdjustTest, IdsOutsideTheVocabularyAreIgnored) {
  SamplingParams params;
  params.frequency_penalty = params.repetition_penalty = 2;
  params.logit_bias = Bias({{2, 5}, {-1, 5}});
  params.banned = {2, -1};
  EXPECT_THAT(Adjust(std::vector<float>{1, 1}, params, {{-1, 2, 9}}, 3),
              Each(1));
}

TEST(AdjustTest, WhatIsBannedIsNeverChosen) {
  SamplingParams params;
  params.banned = {1};
  params.logit_bias = Bias({{1, 100}});
  EXPECT_EQ(Adjust(std::vector<float>{0, 9}, params, {}, 0)[1], kLowest);
  EXPECT_EQ(Sample({0, 9}, params), 0);
  params.temperature = 100;
  for (int position = 0; position < 200; ++position) {
    EXPECT_EQ(Sample({0, 9}, params, position), 0);
  }
}

TEST(AdjustTest, StaysFinite) {
  SamplingParams params;
  params.repetition_penalty = 1e-300;
  params.frequency_penalty = 2;
  params.logit_bias = Bias({{1, -100}});
  for (float score :
       Adjust(std::vector<float>{-kLowest, kLowest}, params, {{0, 1, 1}}, 2)) {
    EXPECT_TRUE(std::isfinite(score));
  }
}

TEST(AdjustTest, ChangesWhatIsDrawnAndNotWhatIsReported) {
  SamplingParams params;
  params.n_logprobs = 2;
  params.presence_penalty = 2;
  const std::vector<float> logits = {1, 2};
  const std::vector<int32_t> history = {1};
  ASSERT_OK_AND_ASSIGN(const SampledToken penalised,
                       SampleToken(logits, params, history, 1, 1));
  EXPECT_EQ(penalised.token, 0);
  EXPECT_EQ(penalised.top[0].token, 1);
  ASSERT_OK_AND_ASSIGN(const SampledToken scored, ScoreToken(logits, 0, 2));
  EXPECT_EQ(scored.token, penalised.token);
  EXPECT_EQ(scored.logprob, penalised.logprob);
  EXPECT_EQ(scored.top[0].logprob, penalised.top[0].logprob);
}

TEST(ScoreTokenTest, IsTheLogSoftmax) {
  const std::vector<float> logits = RandomLogits(1000, 8);
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit));
  for (int32_t token : {0, 17, 999}) {
    ASSERT_OK_AND_ASSIGN(const SampledToken scored,
                         ScoreToken(logits, token, 0));
    EXPECT_NEAR(scored.logprob, logits[token] - std::log(sum), 1e-5);
    EXPECT_TRUE(scored.top.empty());
  }
  EXPECT_THAT(ScoreToken(logits, 1000, 0),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "token: must be in [0, 1000), got 1000"));
}

}  // namespace
}  // namespace alignsae
