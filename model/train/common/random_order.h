// Seeded shuffles, and independent random streams from one seed.
//
// Thread-safety: pure functions of their arguments.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_RANDOM_ORDER_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_RANDOM_ORDER_H_

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "model/base/counter_rng.h"

namespace alignsae {

// What a stream of random numbers is for: two purposes never share draws.
enum class RandomPurpose : uint64_t {
  kPeople = 1,
  kBiographies = 2,
  kLmWeights = 3,
  kLmEpoch = 4,
  kSaeWeights = 5,
  kSaeEpoch = 6,
  kPromptSplit = 7,
  kResidualOrder = 8,
  kNoise = 9,
  kStudyLabels = 10,
  kHops = 11,
};

// The stream of `purpose` number `index` (a person, an epoch) under `seed`.
inline CounterRng RandomStream(uint64_t seed, RandomPurpose purpose,
                               uint64_t index) {
  return CounterRng(
      RandomBits(RandomBits(seed, static_cast<uint64_t>(purpose)), index));
}

// Fisher-Yates from the end.
template <typename T>
void Shuffle(CounterRng& rng, std::vector<T>& values) {
  for (size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[rng.NextBelow(i)]);
  }
}

// A random order of 0 .. n-1.
inline std::vector<int> Permutation(CounterRng& rng, int n) {
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  Shuffle(rng, order);
  return order;
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_RANDOM_ORDER_H_
