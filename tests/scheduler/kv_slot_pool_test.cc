#include "model/scheduler/kv_slot_pool.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <utility>

namespace alignsae {
namespace {

TEST(KvSlotPoolTest, HandsOutTheLowestFreeSlotFirst) {
  KvSlotPool pool(3);
  std::optional<KvSlot> a = pool.Acquire();
  std::optional<KvSlot> b = pool.Acquire();
  EXPECT_EQ(a->index(), 0);
  a.reset();
  EXPECT_EQ(pool.Acquire()->index(), 0);
  EXPECT_EQ(b->index(), 1);
}

TEST(KvSlotPoolTest, GivesTheSlotThatIsAskedForOnce) {
  KvSlotPool pool(3);
  std::optional<KvSlot> middle = pool.Acquire(1);
  EXPECT_EQ(middle->index(), 1);
  EXPECT_FALSE(pool.Acquire(1).has_value());
  EXPECT_EQ(pool.free(), (std::set<int>{0, 2}));
  EXPECT_FALSE(pool.Acquire(3).has_value());
  middle.reset();
  EXPECT_EQ(pool.Acquire(1)->index(), 1);
}

TEST(KvSlotPoolTest, RefusesWhenEverySlotIsLeased) {
  KvSlotPool pool(1);
  std::optional<KvSlot> only = pool.Acquire();
  EXPECT_FALSE(pool.Acquire().has_value());
}

TEST(KvSlotPoolTest, MovedLeaseGivesItsSlotBackOnce) {
  KvSlotPool pool(1);
  {
    std::optional<KvSlot> first = pool.Acquire();
    KvSlot second = *std::move(first);
    EXPECT_EQ(pool.free_count(), 0);
  }
  EXPECT_EQ(pool.free_count(), 1);
}

TEST(KvSlotPoolTest, AssignedLeaseGivesTheOldSlotBack) {
  KvSlotPool pool(2);
  std::optional<KvSlot> a = pool.Acquire();
  std::optional<KvSlot> b = pool.Acquire();
  *a = *std::move(b);
  EXPECT_EQ(a->index(), 1);
  EXPECT_EQ(pool.free_count(), 1);
  EXPECT_EQ(pool.Acquire()->index(), 0);
}

}  // namespace
}  // namespace alignsae
