#include "model/base/counter_rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace alignsae {
namespace {

TEST(CounterRngTest, DrawsTheSameForTheSameSeedAndCounter) {
  // Pinned: seeds in stored bundles and requests must keep their meaning.
  EXPECT_EQ(Mix64(0), 0xe220a8397b1dcdafu);  // SplitMix64's first output.
  EXPECT_EQ(RandomBits(0, 0), 0xd300120a5ea35cacu);
  EXPECT_EQ(RandomBits(1, 0), 0xe220a8397b1dcdafu);
  EXPECT_EQ(RandomBits(0, 1), 0x9659f9d3882ce078u);
  EXPECT_EQ(RandomBits(7, 3), 0x2f4f8293c5fe6b9bu);
  EXPECT_EQ(RandomBits(~uint64_t{0}, ~uint64_t{0}), 0xc0dbdac7a1c97e21u);
  EXPECT_EQ(RandomUniform(42, 0), 0.853977872406269);
  EXPECT_EQ(RandomUniform(42, 3), 0.5757656508654982);
  CounterRng rng(7, 3);
  EXPECT_EQ(rng.NextBits(), RandomBits(7, 3));
  EXPECT_EQ(rng.NextUniform(), RandomUniform(7, 4));
  EXPECT_EQ(rng.counter(), 5u);
}

// Values of an implementation apart, from the formula: a seed gives the same
// text in every release.
TEST(CounterRngTest, PinsTheStreamOfASeed) {
  EXPECT_EQ(RandomBits(0, 0), 0xd300120a5ea35cacu);
  EXPECT_EQ(RandomBits(0, 1), 0x9659f9d3882ce078u);
  EXPECT_EQ(RandomBits(1, 0), 0xe220a8397b1dcdafu);
  EXPECT_EQ(RandomBits(42, 7), 0x9a1fe819c84f826du);
  EXPECT_EQ(RandomBits(~uint64_t{0}, ~uint64_t{0}), 0xc0dbdac7a1c97e21u);
  EXPECT_EQ(RandomUniform(0, 0), 0.8242198252979852);
  EXPECT_EQ(RandomUniform(42, 7), 0.6020493567414729);
  EXPECT_EQ(RandomUniform(~uint64_t{0}, ~uint64_t{0}), 0.753354715097691);
}

TEST(CounterRngTest, PinsDrawsBelowABound) {
  CounterRng rng(9);
  std::vector<uint64_t> drawn;
  for (int i = 0; i < 12; ++i) drawn.push_back(rng.NextBelow(10));
  EXPECT_EQ(drawn, (std::vector<uint64_t>{0, 0, 3, 6, 5, 9, 1, 6, 8, 5, 3, 6}));
  EXPECT_EQ(rng.counter(), 12u);
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
  CounterRng again(5);
  std::vector<uint64_t> first;
  for (int i = 0; i < 12; ++i) first.push_back(again.NextBelow(7));
  EXPECT_EQ(first, (std::vector<uint64_t>{2, 0, 5, 1, 1, 6, 4, 1, 4, 6, 2, 0}));
}

}  // namespace
}  // namespace alignsae
