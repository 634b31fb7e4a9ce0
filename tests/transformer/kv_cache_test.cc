#include "model/transformer/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

#include "model/gpt2/gpt2.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

const Gpt2Config kConfig = {.n_layer = 2,
                            .n_head = 3,
                            .d_model = 12,
                            .d_inner = 4,
                            .context_length = 40,
                            .vocab_size = 5};

TEST(KvCacheTest, HeadsOfSlotsAndLayersHaveMemoryOfTheirOwn) {
  KvCache cache(kConfig.facts(), 4, at::kCPU);
  EXPECT_EQ(cache.layout(), KvLayout::kBlocks);
  for (int layer = 0; layer < 2; ++layer) {
    for (int slot = 0; slot < 4; ++slot) {
      for (int head = 0; head < 3; ++head) {
        const HeadCache<float> memory = cache.head<float>(layer, slot, head);
        const float mark = static_cast<float>(100 * layer + 10 * slot + head);
        // 40 positions take three blocks of 16; values are padded to 16.
        for (int block = 0; block < 3; ++block) {
          for (int i = 0; i < 16 * 4; ++i) {
            float& key = memory.keys[block * memory.key_stride + i];
            EXPECT_EQ(key, 0);
            key = mark;
          }
          for (int i = 0; i < 16 * 16; ++i) {
            float& value = memory.values[block * memory.value_stride + i];
            EXPECT_EQ(value, 0);
            value = -mark;
          }
        }
      }
    }
  }
  EXPECT_EQ(cache.head<float>(1, 2, 0).keys[0], 120);
  const HeadCache<float> last = cache.head<float>(1, 3, 2);
  EXPECT_EQ(last.values[2 * last.value_stride + 16 * 16 - 1], -132);
}

TEST(KvCacheTest, Bf16TakesHalfTheMemory) {
  const KvCache wide(kConfig.facts(), 4, at::kCPU, KvType::kF32);
  const KvCache narrow(kConfig.facts(), 4, at::kCPU, KvType::kBf16);
  EXPECT_EQ(2 * narrow.keys(0).nbytes(), wide.keys(0).nbytes());
  EXPECT_EQ(2 * narrow.values(1).nbytes(), wide.values(1).nbytes());
}

TEST(KvCacheTest, PlainLayoutIsOneRowForEachPositionAndASpareOne) {
  const KvCache cache(kConfig.facts(), 4, at::kCPU, KvType::kBf16,
                      KvLayout::kPlain);
  EXPECT_EQ(cache.keys(1).scalar_type(), at::kBFloat16);
  EXPECT_THAT(cache.keys(1).sizes(), ElementsAre(161, 3, 4));
  EXPECT_THAT(cache.values(1).sizes(), ElementsAre(161, 3, 4));
}

// What Copy moves, in numbers of each slot's keys of one layer.
at::Tensor SlotKeys(const KvCache& cache, int layer, int slot) {
  return cache.layout() == KvLayout::kBlocks
             ? cache.keys(layer)[slot]
             : cache.keys(layer).narrow(0, slot * 40, 40).flatten();
}

TEST(KvCacheTest, CopiesTheFirstPositionsOfSomeBlocks) {
  for (KvLayout layout : {KvLayout::kBlocks, KvLayout::kPlain}) {
    KvCache cache(kConfig.facts(), 3, at::kCPU, KvType::kF32, layout);
    for (int layer = 0; layer < 2; ++layer) {
      SlotKeys(cache, layer, 2).fill_(7 + layer);
      SlotKeys(cache, layer, 0).fill_(1);
    }
    cache.Copy(/*from=*/2, /*to=*/0, /*positions=*/17, /*layers=*/1);
    const at::Tensor copied = SlotKeys(cache, 0, 0);
    // 3 heads of 4 numbers; in blocks two whole ones of 16 positions.
    const int64_t count = 12 * (layout == KvLayout::kBlocks ? 32 : 17);
    EXPECT_TRUE((copied.narrow(0, 0, count) == 7).all().item<bool>());
    EXPECT_TRUE((copied.narrow(0, count, copied.numel() - count) == 1)
                    .all()
                    .item<bool>());
    EXPECT_TRUE((SlotKeys(cache, 1, 0) == 1).all().item<bool>());
    EXPECT_TRUE((SlotKeys(cache, 0, 1) == 0).all().item<bool>());
    EXPECT_TRUE((SlotKeys(cache, 0, 2) == 7).all().item<bool>());
  }
}

// Pages of `memory` that the system has given.
int64_t ResidentPages(const at::Tensor& memory) {
  const size_t page = sysconf(_SC_PAGESIZE);
  std::vector<unsigned char> in_memory((memory.nbytes() + page - 1) / page);
  EXPECT_EQ(mincore(memory.data_ptr(), memory.nbytes(), in_memory.data()), 0);
  int64_t count = 0;
  for (unsigned char each : in_memory) count += each & 1;
  return count;
}

// A block of 16 positions of 2 heads of 32 numbers is one page.
const Gpt2Config kPaged = {.n_layer = 2,
                           .n_head = 2,
                           .d_model = 64,
                           .d_inner = 4,
                           .context_length = 160,
                           .vocab_size = 5};

TEST(KvCacheTest, TakesAPageWhenAPositionInItIsWritten) {
  KvCache cache(kPaged.facts(), 3, at::kCPU);
  EXPECT_EQ(ResidentPages(cache.keys(0)), 0);
  cache.head<float>(0, 1, 0).keys[0] = 1;
  EXPECT_EQ(ResidentPages(cache.keys(0)), 1);
  EXPECT_EQ(ResidentPages(cache.values(0)), 0);
  EXPECT_EQ(ResidentPages(cache.keys(1)), 0);
}

TEST(KvCacheTest, TrimGivesBackWhatLiesOutside) {
  KvCache cache(kPaged.facts(), 3, at::kCPU);
  for (int layer = 0; layer < 2; ++layer) {
    for (int slot = 0; slot < 3; ++slot) cache.keys(layer)[slot].fill_(7);
  }
  ASSERT_EQ(ResidentPages(cache.keys(1)), 30);
  cache.Trim(1, 17, 33);  // Blocks 1 and 2.
  for (int layer = 0; layer < 2; ++layer) {
    EXPECT_EQ(ResidentPages(cache.keys(layer)), 22);
    EXPECT_TRUE((cache.keys(layer)[0] == 7).all().item<bool>());
    EXPECT_TRUE((cache.keys(layer)[2] == 7).all().item<bool>());
    const at::Tensor trimmed = cache.keys(layer)[1].view({10, -1});
    EXPECT_TRUE((trimmed[0] == 0).all().item<bool>());
    EXPECT_TRUE((trimmed.narrow(0, 1, 2) == 7).all().item<bool>());
    EXPECT_TRUE((trimmed.narrow(0, 3, 7) == 0).all().item<bool>());
  }
}

TEST(KvCacheTest, TrimToNothingGivesBackAllAndOnlyOfItsSlot) {
  KvCache cache(kPaged.facts(), 3, at::kCPU);
  for (int slot = 0; slot < 3; ++slot) cache.values(1)[slot].fill_(7);
  cache.Trim(0, 0, 0);
  EXPECT_EQ(ResidentPages(cache.values(1)), 20);
  cache.Trim(2, 0, 160);
  EXPECT_EQ(ResidentPages(cache.values(1)), 20);
  cache.Trim(2, 0, 1);
  EXPECT_EQ(ResidentPages(cache.values(1)), 11);
}

// Slots that share a page: what is a neighbour's stays.
TEST(KvCacheTest, TrimLeavesPagesThatReachIntoAnotherSlot) {
  KvCache cache(kConfig.facts(), 4, at::kCPU);
  for (int slot = 0; slot < 4; ++slot) cache.keys(0)[slot].fill_(slot + 1);
  for (int slot : {0, 2}) cache.Trim(slot, 0, 0);
  EXPECT_TRUE((cache.keys(0)[1] == 2).all().item<bool>());
  EXPECT_TRUE((cache.keys(0)[3] == 4).all().item<bool>());
}

}  // namespace
}  // namespace alignsae
