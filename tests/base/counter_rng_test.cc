#include "model/base/counter_rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace alignsae {
namespace {

TEST(CounterRngTest, DrawsTheSameForTheSameSeedAndCounter) {
  // Pinned: seeds in stored bundles and requests must keep their meaning.
  EXPECT_EQ(RandomBits(0, 0), RandomBits(0, 0));
  EXPECT_EQ(Mix64(0), 0xe220a8397b1dcdafu);  // SplitMix64's first output.
  CounterRng rng(7, 3);
  EXPECT_EQ(rng.NextBits(), RandomBits(7, 3));
  EXPECT_EQ(rng.NextUniform(), RandomUniform(7, 4));
  EXPECT_EQ(rng.counter(), 5u);
}

TEST(CounterRngTest, DrawsDifferentlyForNeighbouringSeedsAndCounters) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    for (uint64_t counter = 0; counter < 100; ++counter) {
      EXPECT_TRUE(seen.insert(RandomBits(seed, counter)).second);
    }
  }
}

TEST(CounterRngTest, DrawsUniformlyFromTheHalfOpenUnitInterval) {
  constexpr int kDraws = 100'000, kBins = 20;
  std::vector<int> bins(kBins);
  CounterRng rng(11);
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.NextUniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    ++bins[static_cast<int>(u * kBins)];
  }
  double chi_squared = 0;
  const double expected = static_cast<double>(kDraws) / kBins;
  for (const int count : bins) {
    chi_squared += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_squared, 43.8);  // 19 degrees of freedom, p = 0.001.
}

TEST(CounterRngTest, DrawsEveryValueBelowTheBound) {
  CounterRng rng(5);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(rng.NextBelow(7));
  EXPECT_EQ(seen, (std::set<uint64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(rng.NextBelow(1), 0u);
}

}  // namespace
}  // namespace alignsae
