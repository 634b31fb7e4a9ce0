#include "model/transformer/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace alignsae {
namespace {

using ::testing::ElementsAre;

PackedRow Row(int slot, int start, int length) {
  return {.kv_slot = slot, .start = start, .length = length};
}

std::vector<int64_t> Values(const at::Tensor& tensor) {
  const int64_t* data = tensor.data_ptr<int64_t>();
  return {data, data + tensor.numel()};
}

TEST(PackingTest, LaysRowsOutInTheirOrder) {
  const Packing packing = Pack({Row(5, 0, 3), Row(2, 7, 1), Row(4, 2, 2)});
  EXPECT_EQ(packing.tokens, 6);
  EXPECT_EQ(packing.rows[0].offset, 0);
  EXPECT_EQ(packing.rows[1].offset, 3);
  EXPECT_EQ(packing.rows[2].offset, 4);
  EXPECT_THAT(Values(Positions(packing, at::kCPU)),
              ElementsAre(0, 1, 2, 7, 2, 3));
}

TEST(PackingTest, TakesRowsInTheOrderOfTheIndices) {
  const at::Tensor taken =
      TakeRows(at::arange(8, at::kLong).view({4, 2}), {2, 0, 2});
  EXPECT_THAT(Values(taken.contiguous()), ElementsAre(4, 5, 0, 1, 4, 5));
}

TEST(PromptForkTest, SharesTheWholePromptBelowItsSiteAndThePrefixFromThereOn) {
  const PromptFork fork = {.kv_slot = 3, .site = 2, .position = 4, .length = 9};
  EXPECT_EQ(fork.SharedAt(0), 9);
  EXPECT_EQ(fork.SharedAt(1), 9);
  EXPECT_EQ(fork.SharedAt(2), 4);
  EXPECT_EQ(PromptFork().SharedAt(0), 0);
}

}  // namespace
}  // namespace alignsae
