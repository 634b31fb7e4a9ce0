#include "model/scheduler/kv_slot_pool.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <utility>

namespace alignsae {
namespace {

TEST(KvSlotPoolTest, HandsOutTheLowestFreeSlotFirst) {
  KvSlotPool pool(3, 100);
  std::optional<KvSlot> a = pool.Acquire({});
  std::optional<KvSlot> b = pool.Acquire({});
  EXPECT_EQ(a->index(), 0);
  a.reset();
  EXPECT_EQ(pool.Acquire({})->index(), 0);
  EXPECT_EQ(b->index(), 1);
}

TEST(KvSlotPoolTest, GivesTheSlotThatIsAskedForOnce) {
  KvSlotPool pool(3, 100);
  std::optional<KvSlot> middle = pool.Acquire(1, {});
  EXPECT_EQ(middle->index(), 1);
  EXPECT_FALSE(pool.Acquire(1, {}).has_value());
  EXPECT_EQ(pool.free(), (std::set<int>{0, 2}));
  EXPECT_FALSE(pool.Acquire(3, {}).has_value());
  middle.reset();
  EXPECT_EQ(pool.Acquire(1, {})->index(), 1);
}

TEST(KvSlotPoolTest, TokensAreLeasedWithTheSlot) {
  KvSlotPool pool(3, 100);
  std::optional<KvSlot> whole = pool.Acquire({0, 60});
  std::optional<KvSlot> part = pool.Acquire({20, 50});
  EXPECT_EQ(pool.free_amount(), (KvAmount{1, 10}));
  EXPECT_EQ(part->writes(), (KvRange{20, 50}));
  EXPECT_FALSE(pool.Acquire({0, 11}).has_value());
  EXPECT_EQ(pool.free_count(), 1);
  whole.reset();
  EXPECT_EQ(pool.free_amount(), (KvAmount{2, 70}));
  EXPECT_EQ(pool.leased(0), (KvRange{}));
  EXPECT_TRUE(pool.Acquire({0, 70}).has_value());
}

TEST(KvSlotPoolTest, RefusesWhenEverySlotIsLeased) {
  KvSlotPool pool(1, 100);
  std::optional<KvSlot> only = pool.Acquire({});
  EXPECT_FALSE(pool.Acquire({}).has_value());
}

TEST(KvSlotPoolTest, MovedLeaseGivesItsSlotBackOnce) {
  KvSlotPool pool(1, 100);
  {
    std::optional<KvSlot> first = pool.Acquire({});
    KvSlot second = *std::move(first);
    EXPECT_EQ(pool.free_count(), 0);
  }
  EXPECT_EQ(pool.free_count(), 1);
}

TEST(KvSlotPoolTest, AssignedLeaseGivesTheOldSlotBack) {
  KvSlotPool pool(2, 100);
  std::optional<KvSlot> a = pool.Acquire({});
  std::optional<KvSlot> b = pool.Acquire({});
  *a = *std::move(b);
  EXPECT_EQ(a->index(), 1);
  EXPECT_EQ(pool.free_count(), 1);
  EXPECT_EQ(pool.Acquire({})->index(), 0);
}

}  // namespace
}  // namespace alignsae
