#include "model/steering/receipt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace alignsae {
namespace {

using ::testing::SizeIs;

InterventionReceipt ReceiptOf(int first, int count) {
  InterventionReceipt receipt;
  receipt.positions_applied = count;
  for (int i = 0; i < count && i < kMaxReceiptPositions; ++i) {
    receipt.effects.push_back({.position = first + i});
  }
  return receipt;
}

TEST(InterventionReceiptTest, MergeCountsAllAndKeepsTheFirst32) {
  InterventionReceipt receipt = ReceiptOf(0, 30);
  receipt.Merge(ReceiptOf(30, 1));
  receipt.Merge(ReceiptOf(31, 40));
  receipt.Merge(ReceiptOf(71, 1));
  EXPECT_EQ(receipt.positions_applied, 72);
  ASSERT_THAT(receipt.effects, SizeIs(32));
  for (int i = 0; i < 32; ++i) EXPECT_EQ(receipt.effects[i].position, i);
}

}  // namespace
}  // namespace alignsae
