#include "server/process/memory_budget.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

namespace alignsae {
namespace {

using Share = MemoryBudget::Share;

TEST(MemoryBudgetTest, GivesBackWhatAShareHeldWhenItGoes) {
  MemoryBudget budget(1000);
  int returned = 0;
  budget.OnReturn([&] { ++returned; });
  {
    std::optional<Share> share = budget.TryTake({"a", "1"}, 400);
    ASSERT_TRUE(share.has_value());
    EXPECT_EQ(budget.used(), 400);
    const Share moved = *std::move(share);
    share.reset();
    EXPECT_EQ(budget.used(), 400);
    EXPECT_EQ(returned, 0);
  }
  EXPECT_EQ(budget.used(), 0);
  EXPECT_EQ(returned, 1);
}

TEST(MemoryBudgetTest, AShareShrinksAndNeverGrows) {
  MemoryBudget budget(1000);
  std::optional<Share> share = budget.TryTake({"a", "1"}, 400);
  ASSERT_TRUE(share.has_value());
  share->ShrinkTo(500);
  EXPECT_EQ(share->bytes(), 400);
  share->ShrinkTo(100);
  EXPECT_EQ(budget.used(), 100);
}

TEST(MemoryBudgetTest, ANameHoldsHalfAndAnOriginThreeQuarters) {
  MemoryBudget budget(1000);
  std::vector<std::optional<Share>> held;
  for (int i = 0; i < 5; ++i) held.push_back(budget.TryTake({"a", "1"}, 100));
  for (const auto& share : held) EXPECT_TRUE(share.has_value());
  EXPECT_FALSE(budget.TryTake({"a", "1"}, 1).has_value());
  held.push_back(budget.TryTake({"a", "2"}, 250));
  EXPECT_TRUE(held.back().has_value());
  // However many names: the rest is for others.
  EXPECT_FALSE(budget.TryTake({"a", "3"}, 1).has_value() &&
               budget.TryTake({"a", "4"}, 250).has_value());
  EXPECT_EQ(budget.used(), 750);
  held.push_back(budget.TryTake({"b", ""}, 250));
  EXPECT_TRUE(held.back().has_value());
  EXPECT_FALSE(budget.TryTake({"c", ""}, 1).has_value());
  EXPECT_EQ(budget.used(), 1000);
}

TEST(MemoryBudgetTest, AnOriginMayHaveALimitOfItsOwn) {
  MemoryBudget budget(1000);
  const std::optional<Share> first = budget.TryTake({"a", "1"}, 80, 100);
  ASSERT_TRUE(first.has_value());
  // Of the origin, whatever name it goes by; no other has it.
  EXPECT_FALSE(budget.TryTake({"a", "2"}, 21, 100).has_value());
  EXPECT_TRUE(budget.TryTake({"a", "2"}, 20, 100).has_value());
  EXPECT_TRUE(budget.TryTake({"b", "1"}, 300).has_value());
  // A larger one than its part is no more than its part.
  EXPECT_FALSE(budget.TryTake({"a", "2"}, 700, 2000).has_value());
}

TEST(MemoryBudgetTest, ARefusalChangesNothing) {
  MemoryBudget budget(1000);
  const std::optional<Share> share = budget.TryTake({"a", "1"}, 500);
  EXPECT_FALSE(budget.TryTake({"a", "1"}, 100).has_value());
  EXPECT_EQ(budget.used(), 500);
  EXPECT_TRUE(budget.TryTake({"b", "1"}, 500).has_value());
}

TEST(MemoryBudgetTest, WhatIsLargerThanAPartIsGivenToWhoHoldsNothing) {
  MemoryBudget budget(1000);
  {
    const std::optional<Share> share = budget.TryTake({"a", "1"}, 5000);
    EXPECT_TRUE(share.has_value());
    EXPECT_FALSE(budget.TryTake({"b", "1"}, 1).has_value());
  }
  EXPECT_EQ(budget.used(), 0);
}

}  // namespace
}  // namespace alignsae
