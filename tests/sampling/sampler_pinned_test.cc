// The sampler's values for given seeds, and what it keeps where a limit is
// reached exactly.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "model/base/counter_rng.h"
#include "model/sampling/sampler.h"
#include "tests/sampling/draws.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

// Every token that comes out over 2000 positions.
std::set<int32_t> Seen(const std::vector<float>& logits,
                       const SamplingParams& params) {
  std::set<int32_t> seen;
  for (int position = 0; position < 2000; ++position) {
    seen.insert(Sample(logits, params, position));
  }
  return seen;
}

// What a seed draws, from an implementation apart in double precision: the same
// request gives the same text in every release.
TEST(SamplerPinnedTest, PinsWhatASeedDraws) {
  struct Pinned {
    SamplingParams params;
    std::vector<int32_t> tokens;  // At positions 0, 1, ...
  };
  const std::vector<Pinned> kPinned = {
      {{.temperature = 1},
       {35, 35, 16, 35, 24, 24, 35, 35, 35, 35, 35, 35, 35, 24, 24, 33}},
      {{.temperature = 0.7, .top_k = 5},
       {35, 35, 24, 35, 33, 33, 35, 35, 35, 35, 35, 35, 35, 24, 24, 35}},
      {{.temperature = 1, .top_p = 0.6},
       {35, 35, 24, 35, 24, 24, 35, 35, 35, 35, 35, 35, 35, 24, 24, 35}},
      {{.temperature = 1.5, .top_k = 20, .top_p = 0.9},
       {35, 35, 10, 35, 24, 24, 35, 35, 35, 35, 36, 35, 35, 24, 24, 24}},
      {{.temperature = 1, .repetition_penalty = 1.3},
       {33, 35, 8, 35, 24, 21, 35, 35, 35, 35, 36, 35, 35, 21, 21, 24}},
      {{.temperature = 2, .top_k = 8, .top_p = 0.8, .repetition_penalty = 2},
       {21, 35, 8, 35, 10, 10, 39, 21, 24, 35, 39, 35, 24, 10, 10, 21}}};
  const std::vector<float> logits = RandomLogits(40, 5);
  for (size_t row = 0; row < kPinned.size(); ++row) {
    SamplingParams params = kPinned[row].params;
    params.seed = 2026;
    std::vector<int32_t> drawn;
    for (int position = 0; position < 16; ++position) {
      drawn.push_back(Sample(logits, params, position, {35, 24, 33, 36}));
    }
    EXPECT_EQ(drawn, kPinned[row].tokens) << "row " << row;
  }
}

// Of two tokens, the draw u takes the first as long as their odds are at least
// u : 1 - u; a millionth beside that decides.
TEST(SamplerPinnedTest, OddsAreExactToAMillionth) {
  int tried = 0;
  for (int seed = 0; seed < 4000; ++seed) {
    const SamplingParams params = {.temperature = 1,
                                   .seed = static_cast<uint64_t>(seed)};
    const double u = RandomUniform(params.seed, 0);
    const double even = std::log(u / (1 - u));
    // Where rounding the logit to a float changes the odds by less.
    if (even < 1e-3 || even > 2) continue;
    ++tried;
    EXPECT_EQ(Sample({0.0f, static_cast<float>(-even - 1e-6)}, params), 0);
    EXPECT_EQ(Sample({0.0f, static_cast<float>(-even + 1e-6)}, params), 1);
  }
  EXPECT_GT(tried, 1000);
}

TEST(SamplerPinnedTest, LimitsThatAreReachedExactlyKeepNoMoreAndNoLess) {
  const std::vector<float> even(4, 1.0f);  // A quarter each.
  for (int kept = 1; kept <= 4; ++kept) {
    std::set<int32_t> first;
    for (int32_t token = 0; token < kept; ++token) first.insert(token);
    EXPECT_EQ(Seen(even, {.temperature = 1, .top_p = kept / 4.0}), first);
    EXPECT_EQ(Seen(even, {.temperature = 1, .top_k = kept}), first);
  }
  EXPECT_EQ(Seen(even, {.temperature = 1, .top_p = 0.5000001}),
            (std::set<int32_t>{0, 1, 2}));
  EXPECT_EQ(Seen(even, {.temperature = 1, .top_k = 5}),
            (std::set<int32_t>{0, 1, 2, 3}));
}

TEST(SamplerPinnedTest, PenaltyOfAnEvenLogitAndOfTheFirstAndLastToken) {
  // 0 stays 0; ids 0 and size - 1 are of the vocabulary.
  EXPECT_EQ(Sample({0.0f, -0.5f}, {.repetition_penalty = 5}, 0, {0}), 0);
  EXPECT_EQ(Sample({2.0f, 1.5f}, {.repetition_penalty = 2}, 0, {0}), 1);
  EXPECT_EQ(Sample({1.5f, 2.0f}, {.repetition_penalty = 2}, 0, {1}), 0);
  EXPECT_EQ(Sample({-1.0f, -1.5f}, {.repetition_penalty = 2}, 0, {0}), 1);
  // A tie after the penalty goes to the lower id.
  EXPECT_EQ(Sample({1.0f, 2.0f}, {.repetition_penalty = 2}, 0, {1}), 0);
}

}  // namespace
}  // namespace alignsae
