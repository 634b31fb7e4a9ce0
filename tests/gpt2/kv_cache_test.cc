#include "model/gpt2/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace alignsae {
namespace {

using ::testing::ElementsAre;

const Gpt2Config kConfig = {.n_layer = 2,
                            .n_head = 3,
                            .d_model = 12,
                            .d_inner = 4,
                            .context_length = 8,
                            .vocab_size = 5};

at::Tensor Ids(std::vector<int64_t> ids) { return at::tensor(ids, at::kLong); }

TEST(KvCacheTest, StartsAsZeros) {
  const KvCache cache(kConfig, 4, at::kCPU);
  for (int layer = 0; layer < 2; ++layer) {
    EXPECT_THAT(cache.keys(layer).sizes(), ElementsAre(4, 8, 3, 4));
    EXPECT_THAT(cache.values(layer).sizes(), ElementsAre(4, 8, 3, 4));
    EXPECT_EQ(at::count_nonzero(cache.keys(layer)).item<int64_t>(), 0);
    EXPECT_EQ(at::count_nonzero(cache.values(layer)).item<int64_t>(), 0);
  }
}

TEST(KvCacheTest, StoresEachTokenAtItsSlotAndPosition) {
  KvCache cache(kConfig, 4, at::kCPU);
  const at::Tensor keys = at::arange(24, at::kFloat).view({2, 3, 4});
  cache.Write(1, Ids({3, 0}), Ids({5, 7}), keys, -keys);
  EXPECT_TRUE(at::equal(cache.keys(1)[3][5], keys[0]));
  EXPECT_TRUE(at::equal(cache.keys(1)[0][7], keys[1]));
  EXPECT_TRUE(at::equal(cache.values(1)[3][5], -keys[0]));
  EXPECT_EQ(at::count_nonzero(cache.keys(1)).item<int64_t>(), 23);
  EXPECT_EQ(at::count_nonzero(cache.keys(0)).item<int64_t>(), 0);
}

TEST(KvCacheTest, KeepsWhatAFiniteSequenceLeft) {
  KvCache cache(kConfig, 2, at::kCPU);
  cache.Write(0, Ids({1}), Ids({4}), at::ones({1, 3, 4}), at::ones({1, 3, 4}));
  const PackedRow next = {.kv_slot = 1, .start = 0, .length = 1};
  cache.BeginStep({&next, 1});
  EXPECT_EQ(at::count_nonzero(cache.keys(0)).item<int64_t>(), 12);
}

TEST(KvCacheTest, WipesWhatASequenceThatWasNotFiniteLeft) {
  const float kBad[] = {std::numeric_limits<float>::quiet_NaN(),
                        std::numeric_limits<float>::infinity(),
                        -std::numeric_limits<float>::infinity()};
  for (const float bad : kBad) {
    for (const bool in_values : {false, true}) {
      KvCache cache(kConfig, 2, at::kCPU);
      const at::Tensor good = at::ones({1, 3, 4});
      at::Tensor spoilt = good.clone();
      spoilt[0][2][1] = bad;
      cache.Write(0, Ids({0}), Ids({4}), good, good);
      cache.Write(1, Ids({1}), Ids({4}), in_values ? good : spoilt,
                  in_values ? spoilt : good);
      const PackedRow next = {.kv_slot = 1, .start = 0, .length = 1};
      cache.BeginStep({&next, 1});
      EXPECT_EQ(at::count_nonzero(cache.keys(1)[1]).item<int64_t>(), 0);
      EXPECT_EQ(at::count_nonzero(cache.values(1)[1]).item<int64_t>(), 0);
      EXPECT_TRUE(at::equal(cache.keys(0)[0][4], good[0]));
    }
  }
}

TEST(KvCacheTest, SequenceThatWasNotFiniteKeepsItsPastButNotItsFuture) {
  KvCache cache(kConfig, 2, at::kCPU);
  const at::Tensor bad =
      at::full({2, 3, 4}, std::numeric_limits<float>::quiet_NaN());
  cache.Write(0, Ids({1, 1}), Ids({2, 6}), bad, bad);
  // Taken back to position 3, twice: the taint outlives the first wipe.
  for (int step = 0; step < 2; ++step) {
    const PackedRow back = {.kv_slot = 1, .start = 3, .length = 1};
    cache.BeginStep({&back, 1});
    EXPECT_TRUE(at::isnan(cache.keys(0)[1][2]).all().item<bool>());
    EXPECT_EQ(at::count_nonzero(cache.keys(0)[1][6]).item<int64_t>(), 0);
  }
  const PackedRow fresh = {.kv_slot = 1, .start = 0, .length = 1};
  cache.BeginStep({&fresh, 1});
  EXPECT_EQ(at::count_nonzero(cache.keys(0)).item<int64_t>(), 0);
}

// The process's peak of resident memory, in KiB.
int64_t PeakMemory() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(KvCacheTest, TakesNoMemoryForSlotsThatAreNotUsed) {
  Gpt2Config config = kConfig;
  config.context_length = 1024;
  config.n_head = 12;
  config.d_model = 768;
  const int64_t before = PeakMemory();
  // 16 slots of 12 MiB.
  KvCache cache(config, 16, at::kCPU);
  const at::Tensor one = at::ones({1, 12, 64});
  cache.Write(1, Ids({15}), Ids({1023}), one, one);
  EXPECT_EQ(cache.keys(1)[15][1023].sum().item<float>(), 768);
  EXPECT_LT(PeakMemory() - before, 16 << 10);
}

}  // namespace
}  // namespace alignsae
