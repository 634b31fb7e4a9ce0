// Counter-based random numbers: the draw is a function of (seed, counter)
// alone, so a request's tokens do not depend on its neighbours in a batch, and
// a resumed training run draws what an uninterrupted one draws.
//
// Mixing function: SplitMix64's finaliser (Steele, Lea, Flood 2014) over two
// keyed rounds. Not for cryptography.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_BASE_COUNTER_RNG_H_
#define ALIGNSAE_MODEL_BASE_COUNTER_RNG_H_

#include <cstdint>

namespace alignsae {

constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr uint64_t RandomBits(uint64_t seed, uint64_t counter) {
  return Mix64(Mix64(seed) ^ Mix64(counter * 0xd1342543de82ef95u + 1));
}

// Uniform in [0, 1) with 53 bits.
constexpr double RandomUniform(uint64_t seed, uint64_t counter) {
  return static_cast<double>(RandomBits(seed, counter) >> 11) * 0x1.0p-53;
}

// Sequential convenience over the same function: one stream per seed.
class CounterRng {
 public:
  explicit CounterRng(uint64_t seed, uint64_t counter = 0)
      : seed_(seed), counter_(counter) {}

  uint64_t NextBits() { return RandomBits(seed_, counter_++); }
  double NextUniform() { return RandomUniform(seed_, counter_++); }
  // Uniform in [0, n). `n` > 0. Multiply-shift: bias below 2^-32 for n < 2^32.
  uint64_t NextBelow(uint64_t n) {
    return static_cast<uint64_t>(
        (static_cast<unsigned __int128>(NextBits()) * n) >> 64);
  }
  uint64_t counter() const { return counter_; }

 private:
  uint64_t seed_;
  uint64_t counter_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_COUNTER_RNG_H_
