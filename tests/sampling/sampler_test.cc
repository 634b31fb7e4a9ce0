#include "model/sampling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "model/base/counter_rng.h"
#include "tests/sampling/draws.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kHuge = std::numeric_limits<float>::max();

// How often each token comes out over `draws` positions.
std::map<int32_t, int> Count(const std::vector<float>& logits,
                             const SamplingParams& params, int draws) {
  std::map<int32_t, int> counts;
  for (int position = 0; position < draws; ++position) {
    ++counts[Sample(logits, params, position)];
  }
  return counts;
}

std::set<int32_t> Drawn(const std::vector<float>& logits,
                        const SamplingParams& params, int draws = 2000) {
  std::set<int32_t> seen;
  for (const auto& [token, count] : Count(logits, params, draws)) {
    seen.insert(token);
  }
  return seen;
}

// Log-softmax in double precision, the obvious way.
std::vector<double> LogSoftmax(const std::vector<float>& logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - max);
  std::vector<double> result;
  for (float logit : logits) result.push_back(logit - max - std::log(sum));
  return result;
}

TEST(SamplerTest, GreedyTakesTheLargestLogit) {
  EXPECT_EQ(Sample({0.5f, 2.0f, -1.0f}, {.temperature = 0}), 1);
}

TEST(SamplerTest, GreedyTiesGoToTheLowerId) {
  EXPECT_EQ(Sample({1.0f, 3.0f, 3.0f, 3.0f}, {.temperature = 0}), 1);
}

TEST(SamplerTest, DrawDependsOnSeedAndPositionOnly) {
  const std::vector<float> logits = RandomLogits(1000, 1);
  const SamplingParams params = {.temperature = 2, .seed = 7};
  const SamplingParams other_seed = {.temperature = 2, .seed = 8};
  int same_position = 0, same_seed = 0;
  for (int position = 0; position < 200; ++position) {
    const int32_t token = Sample(logits, params, position);
    EXPECT_EQ(Sample(logits, params, position), token);
    same_position += Sample(logits, other_seed, position) == token;
    same_seed += Sample(logits, params, position + 1) == token;
  }
  EXPECT_LT(same_position, 100);
  EXPECT_LT(same_seed, 100);
}

// Computed apart, by the formulas in double precision: the same seed gives the
// same text in every release. No draw is closer than 1e-3 to another token.
TEST(SamplerTest, DrawsAreThoseOfEveryRelease) {
  const std::vector<float> logits = {1.0f, 0.0f, 2.0f, -1.0f, 1.5f, 0.5f};
  const auto draws = [&](SamplingParams params) {
    params.seed = 42;
    std::vector<int32_t> tokens;
    for (int position = 0; position < 16; ++position) {
      tokens.push_back(Sample(logits, params, position));
    }
    return tokens;
  };
  EXPECT_THAT(draws({.temperature = 1}),
              ElementsAre(4, 3, 4, 2, 2, 2, 2, 2, 4, 2, 0, 0, 1, 4, 5, 2));
  EXPECT_THAT(draws({.temperature = 0.5}),
              ElementsAre(4, 2, 4, 2, 2, 2, 2, 2, 4, 2, 1, 2, 2, 4, 4, 2));
  EXPECT_THAT(draws({.temperature = 2, .top_k = 3}),
              ElementsAre(4, 2, 4, 2, 2, 2, 2, 2, 4, 2, 0, 0, 0, 4, 4, 2));
  EXPECT_THAT(draws({.temperature = 1, .top_p = 0.8}),
              ElementsAre(4, 2, 4, 2, 2, 2, 2, 2, 4, 2, 0, 0, 2, 4, 4, 2));
}

TEST(SamplerTest, FrequenciesFollowTheSoftmaxAtTheTemperature) {
  const std::vector<float> logits = {1.0f, 0.0f, 2.0f, -1.0f, 0.5f};
  constexpr int kDraws = 40000;
  for (double temperature : {0.5, 1.0, 3.0}) {
    std::map<int32_t, int> counts =
        Count(logits, {.temperature = temperature, .seed = 11}, kDraws);
    double sum = 0;
    for (float logit : logits) sum += std::exp(logit / temperature);
    double chi_squared = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      const double expected = kDraws * std::exp(logits[i] / temperature) / sum;
      const double error = counts[static_cast<int32_t>(i)] - expected;
      chi_squared += error * error / expected;
    }
    // 4 degrees of freedom: 18.5 is passed once in a thousand seeds.
    EXPECT_LT(chi_squared, 18.5) << "temperature " << temperature;
  }
}

TEST(SamplerTest, TopKKeepsTheKLargest) {
  const std::vector<float> logits = {1.0f, 0.9f, 1.1f, 0.8f, 1.2f};
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = 3}),
              ElementsAre(0, 2, 4));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = 1}), ElementsAre(4));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = 0}), SizeIs(5));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = 1000000}), SizeIs(5));
}

TEST(SamplerTest, TopKTiesKeepTheLowerIds) {
  EXPECT_THAT(Drawn({1, 2, 1, 2, 1, 1}, {.temperature = 1, .top_k = 4}),
              ElementsAre(0, 1, 2, 3));
}

TEST(SamplerTest, TopPKeepsTheSmallestSetThatReachesTheMass) {
  // Probabilities 0.5, 0.3, 0.15, 0.05 at shuffled ids.
  const std::vector<float> logits = {std::log(0.15f), std::log(0.5f),
                                     std::log(0.05f), std::log(0.3f)};
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_p = 0.45}), ElementsAre(1));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_p = 0.79}),
              ElementsAre(1, 3));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_p = 0.81}),
              ElementsAre(0, 1, 3));
  EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_p = 0.96}),
              ElementsAre(0, 1, 2, 3));
}

TEST(SamplerTest, TinyTopPKeepsOneToken) {
  EXPECT_THAT(Drawn({1, 3, 2}, {.temperature = 100, .top_p = 1e-300}),
              ElementsAre(1));
}

TEST(SamplerTest, TopPIsMeasuredOnWhatTopKLeft) {
  // Four equal tokens: after top-k 2 each has half of the mass, so 0.5 keeps
  // one of them; of all four it would keep two.
  EXPECT_THAT(Drawn({1, 1, 1, 1}, {.temperature = 1, .top_k = 2, .top_p = 0.5}),
              ElementsAre(0));
}

// The whole pipeline in double precision with a full sort.
int32_t ReferenceSample(const std::vector<float>& logits,
                        const SamplingParams& params, int position,
                        const std::vector<int32_t>& history) {
  std::vector<double> scores(logits.begin(), logits.end());
  for (int32_t token : std::set<int32_t>(history.begin(), history.end())) {
    scores[token] *= scores[token] > 0 ? 1 / params.repetition_penalty
                                       : params.repetition_penalty;
  }
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  if (params.top_k > 0)
    order.resize(std::min(order.size(), size_t(params.top_k)));
  const auto weight = [&, max = scores[order[0]]](int32_t token) {
    return std::exp((scores[token] - max) / params.temperature);
  };
  double total = 0, mass = 0;
  for (int32_t token : order) total += weight(token);
  size_t kept = 0;
  while (kept < order.size() && (kept == 0 || mass < params.top_p * total)) {
    mass += weight(order[kept++]);
  }
  order.resize(kept);
  std::sort(order.begin(), order.end());
  const double target = RandomUniform(params.seed, position) * mass;
  double cumulative = 0;
  for (int32_t token : order) {
    cumulative += weight(token);
    if (cumulative > target) return token;
  }
  return order.back();
}

TEST(SamplerTest, AgreesWithAFullSortInDoublePrecision) {
  CounterRng rng(21);
  std::vector<int32_t> history;
  for (int i = 0; i < 60; ++i) {
    history.push_back(static_cast<int32_t>(rng.NextBelow(3000)));
  }
  for (double temperature : {0.3, 1.0, 4.0}) {
    for (int top_k : {0, 1, 40, 900}) {
      for (double top_p : {0.2, 0.9, 0.9999, 1.0}) {
        const SamplingParams params = {.temperature = temperature,
                                       .top_k = top_k,
                                       .top_p = top_p,
                                       .repetition_penalty = 1.3,
                                       .seed = rng.NextBits()};
        for (int position = 0; position < 10; ++position) {
          const std::vector<float> logits = RandomLogits(3000, rng.NextBits());
          EXPECT_EQ(Sample(logits, params, position, history),
                    ReferenceSample(logits, params, position, history))
              << "temperature " << temperature << ", top_k " << top_k
              << ", top_p " << top_p << ", position " << position;
        }
      }
    }
  }
}

TEST(SamplerTest, RepetitionPenaltyDividesPositiveAndMultipliesNegative) {
  const SamplingParams params = {.temperature = 0, .repetition_penalty = 2};
  // 3 / 2 = 1.5 falls below 2.
  EXPECT_EQ(Sample({3.0f, 2.0f}, params, 0, {0}), 1);
  // 3 / 2 = 1.5 stays above 1.4.
  EXPECT_EQ(Sample({3.0f, 1.4f}, params, 0, {0}), 0);
  // -1 * 2 = -2 falls below -1.5.
  EXPECT_EQ(Sample({-1.0f, -1.5f}, params, 0, {0}), 1);
}

TEST(SamplerTest, RepetitionPenaltyCountsATokenOnce) {
  const SamplingParams params = {.temperature = 0, .repetition_penalty = 2};
  EXPECT_EQ(Sample({3.0f, 1.4f}, params, 0, {0, 0, 0, 0}), 0);
}

TEST(SamplerTest, PenaltyBelowOneFavoursRepetition) {
  EXPECT_EQ(Sample({3.0f, 2.0f}, {.temperature = 0, .repetition_penalty = 0.5},
                   0, {1}),
            1);
}

TEST(SamplerTest, HistoryIdsOutsideTheVocabularyAreIgnored) {
  EXPECT_EQ(Sample({3.0f, 2.0f}, {.temperature = 0, .repetition_penalty = 2}, 0,
                   {-1, 2, std::numeric_limits<int32_t>::max()}),
            0);
}

TEST(SamplerTest, LogprobsAreOfTheRawLogits) {
  const std::vector<float> logits = {3.0f, 2.0f, 0.0f};
  const std::vector<double> expected = LogSoftmax(logits);
  ASSERT_OK_AND_ASSIGN(const SampledToken sampled,
                       SampleToken(logits,
                                   {.temperature = 0.1,
                                    .top_k = 1,
                                    .repetition_penalty = 10,
                                    .n_logprobs = 2},
                                   {0}, 0));
  EXPECT_EQ(sampled.token, 1);
  EXPECT_NEAR(sampled.logprob, expected[1], 1e-6);
  ASSERT_THAT(sampled.top, SizeIs(2));
  EXPECT_EQ(sampled.top[0].token, 0);
  EXPECT_NEAR(sampled.top[0].logprob, expected[0], 1e-6);
  EXPECT_EQ(sampled.top[1].token, 1);
  EXPECT_NEAR(sampled.top[1].logprob, expected[1], 1e-6);
}

TEST(SamplerTest, LogprobsOfAGpt2VocabularyAgreeWithDoublePrecision) {
  const std::vector<float> logits = RandomLogits(50257, 9);
  const std::vector<double> expected = LogSoftmax(logits);
  ASSERT_OK_AND_ASSIGN(
      const SampledToken sampled,
      SampleToken(logits, {.temperature = 5, .n_logprobs = 20}, {}, 3));
  EXPECT_NEAR(sampled.logprob, expected[sampled.token], 2e-6);
  ASSERT_THAT(sampled.top, SizeIs(20));
  for (const TokenLogprob& entry : sampled.top) {
    EXPECT_NEAR(entry.logprob, expected[entry.token], 2e-6);
  }
  EXPECT_EQ(sampled.top[0].token,
            std::max_element(logits.begin(), logits.end()) - logits.begin());
}

TEST(SamplerTest, TopLogprobTiesGoToTheLowerIdAndStopAtTheVocabulary) {
  ASSERT_OK_AND_ASSIGN(
      const SampledToken sampled,
      SampleToken({1.0f, 2.0f, 2.0f}, {.temperature = 0, .n_logprobs = 20}, {},
                  0));
  ASSERT_THAT(sampled.top, SizeIs(3));
  EXPECT_EQ(sampled.top[0].token, 1);
  EXPECT_EQ(sampled.top[1].token, 2);
  EXPECT_EQ(sampled.top[2].token, 0);
}

TEST(SamplerTest, NoLogprobsAreReportedUnlessAsked) {
  ASSERT_OK_AND_ASSIGN(const SampledToken sampled,
                       SampleToken({1.0f, 2.0f}, {}, {}, 0));
  EXPECT_THAT(sampled.top, IsEmpty());
}

TEST(SamplerTest, TinyTemperatureDrawsAmongTheLargestOnly) {
  for (double temperature : {1e-30, 1e-300, 5e-324}) {
    EXPECT_THAT(
        Drawn({1.0f, 1.0001f, 1.00005f}, {.temperature = temperature}, 200),
        ElementsAre(1))
        << temperature;
    EXPECT_THAT(Drawn({2.0f, 1.0f, 2.0f}, {.temperature = temperature}, 200),
                ElementsAre(0, 2))
        << temperature;
  }
}

TEST(SamplerTest, HugeTemperatureIsUniform) {
  std::map<int32_t, int> counts = Count({-50.0f, 0.0f, 50.0f, 1.0f},
                                        {.temperature = 1e30, .seed = 2}, 8000);
  for (int32_t token = 0; token < 4; ++token) {
    EXPECT_NEAR(counts[token], 2000, 200);
  }
}

TEST(SamplerTest, ExtremeLogitsGiveFiniteLogprobs) {
  for (double temperature : {0.0, 1e-30, 1.0, 1e30}) {
    ASSERT_OK_AND_ASSIGN(const SampledToken sampled,
                         SampleToken({-kHuge, kHuge, 0.0f},
                                     {.temperature = temperature,
                                      .top_p = 0.9,
                                      .repetition_penalty = 1e-300,
                                      .n_logprobs = 3},
                                     {1, 2}, 0));
    EXPECT_TRUE(std::isfinite(sampled.logprob));
    for (const TokenLogprob& entry : sampled.top) {
      EXPECT_TRUE(std::isfinite(entry.logprob)) << entry.token;
    }
    if (temperature < 2) {
      EXPECT_EQ(sampled.token, 1);
    }
  }
}

TEST(SamplerTest, NonFiniteLogitIsRefusedWithItsToken) {
  std::vector<float> logits(40, 0.0f);
  logits[17] = kNan;
  EXPECT_THAT(SampleToken(logits, {}, {}, 0),
              StatusIs(absl::StatusCode::kOutOfRange,
                       "logits: must be finite, got nan at token 17"));
  logits[17] = kInf;
  EXPECT_THAT(SampleToken(logits, {}, {}, 0),
              StatusIs(absl::StatusCode::kOutOfRange,
                       "logits: must be finite, got inf at token 17"));
  logits[3] = -kInf;
  EXPECT_THAT(SampleToken(logits, {}, {}, 0),
              StatusIs(absl::StatusCode::kOutOfRange,
                       "logits: must be finite, got -inf at token 3"));
}

TEST(SamplerTest, SettingsOutsideTheirRangesAreOff) {
  const std::vector<float> logits = {1.0f, 3.0f, 2.0f};
  const SamplingParams greedy = {
      .temperature = kNan, .repetition_penalty = -2, .n_logprobs = -1};
  EXPECT_EQ(Sample(logits, greedy, 0, {1}), 1);
  for (double top_p : {-1.0, 0.0, double{kNan}, 2.0}) {
    EXPECT_THAT(Drawn(logits, {.temperature = 1, .top_k = -3, .top_p = top_p}),
                SizeIs(3));
  }
}

TEST(SamplerTest, EmptyLogitsAreRefused) {
  EXPECT_THAT(SampleToken({}, {}, {}, 0),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "logits: must hold at least one token, got none"));
}

}  // namespace
}  // namespace alignsae
