#include "model/scheduler/prefix_cache.h"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

constexpr int kLayers = 4;

// Tokens first, first + 1, ...
std::vector<int32_t> Tokens(int count, int first = 100) {
  std::vector<int32_t> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

class PrefixCacheTest : public ::testing::Test {
 protected:
  static PromptBeginning Wanted(std::vector<int32_t> tokens,
                                int layers = kLayers) {
    return {"", layers, std::move(tokens)};
  }
  // Runs a prompt to its end: the slot that it had.
  int Run(const std::vector<int32_t>& tokens) {
    PrefixCache::Place place = cache_.Take(Wanted(tokens), {});
    const int slot = place.kv_slot.index();
    cache_.Holds(slot, tokens);
    End(std::move(place.kv_slot));
    return slot;
  }
  void End(KvSlot ended) {
    const int slot = ended.index();
    { const KvSlot gone = std::move(ended); }
    cache_.Settle(slot);
  }

  KvSlotPool pool_{3, 1000};
  PrefixCache cache_{&pool_, 100};
};

TEST_F(PrefixCacheTest, GivesTheLongestBeginning) {
  std::vector<int32_t> other = Tokens(20);
  other[12] = 0;
  const int slot = Run(Tokens(20));
  Run(other);
  const PrefixCache::Place place = cache_.Take(Wanted(Tokens(16)), {});
  EXPECT_EQ(place.from, slot);
  EXPECT_EQ(place.length, 16);
  const PrefixReport report = cache_.TakeReport();
  EXPECT_EQ(report.hits, 2);  // `other` took 12.
  EXPECT_EQ(report.misses, 1);
  EXPECT_EQ(report.tokens_taken, 12 + 16);
}

TEST_F(PrefixCacheTest, LeavesAloneWhatIsTooShort) {
  Run(Tokens(20));
  std::vector<int32_t> wanted = Tokens(20);
  wanted[PrefixCache::kLeastTokens - 1] = 0;
  EXPECT_EQ(cache_.Take(Wanted(wanted), {}).from, -1);
  EXPECT_EQ(cache_.Take(Wanted(Tokens(PrefixCache::kLeastTokens - 1)), {}).from,
            -1);
  const PrefixReport report = cache_.TakeReport();
  EXPECT_EQ(report.hits, 0);
  EXPECT_EQ(report.misses, 2);
  EXPECT_EQ(report.barred, 1);
}

TEST_F(PrefixCacheTest, GivesNothingToAnotherScopeOrToMoreBlocks) {
  PrefixCache::Place place = cache_.Take({"anna", 2, Tokens(20)}, {});
  cache_.Holds(place.kv_slot.index(), Tokens(20));
  EXPECT_EQ(cache_.Take({"ben", 2, Tokens(20)}, {}).from, -1);
  EXPECT_EQ(cache_.Take({"", 2, Tokens(20)}, {}).from, -1);
  EXPECT_EQ(cache_.Take({"anna", 3, Tokens(20)}, {}).from, -1);
  EXPECT_EQ(cache_.Take({"anna", 1, Tokens(20)}, {}).from,
            place.kv_slot.index());
}

TEST_F(PrefixCacheTest, ASlotGoesOnWhereNoMoreThanItsLastTokenIsLost) {
  const int slot = Run(Tokens(20));
  PrefixCache::Place same = cache_.Take(Wanted(Tokens(19)), {});
  EXPECT_EQ(same.kv_slot.index(), slot);
  EXPECT_EQ(same.from, slot);
  EXPECT_EQ(cache_.beginning(slot).tokens, Tokens(19));
  cache_.Holds(slot, Tokens(20));
  End(std::move(same.kv_slot));
  const PrefixCache::Place shorter = cache_.Take(Wanted(Tokens(18)), {});
  EXPECT_EQ(shorter.from, slot);
  EXPECT_NE(shorter.kv_slot.index(), slot);
  EXPECT_EQ(cache_.beginning(slot).tokens, Tokens(20));
}

TEST_F(PrefixCacheTest, AReadoutDoesNotTakeTheSlotOfWhatWentFurther) {
  const int slot = Run(Tokens(20));
  const PrefixCache::Place readout = cache_.Take(Wanted(Tokens(19), 1), {});
  EXPECT_EQ(readout.from, slot);
  EXPECT_NE(readout.kv_slot.index(), slot);
}

TEST_F(PrefixCacheTest, TakesFromASlotThatRuns) {
  PrefixCache::Place first = cache_.Take(Wanted(Tokens(20)), {});
  const int slot = first.kv_slot.index();
  cache_.Holds(slot, Tokens(10));  // So far.
  const PrefixCache::Place second = cache_.Take(Wanted(Tokens(20)), {});
  EXPECT_EQ(second.from, slot);
  EXPECT_EQ(second.length, 10);
  EXPECT_NE(second.kv_slot.index(), slot);
}

TEST_F(PrefixCacheTest, EmptySlotsGoFirstThenTheLeastUsed) {
  const int a = Run(Tokens(10, 100));
  const int b = Run(Tokens(10, 200));
  const int c = Run(Tokens(10, 300));
  EXPECT_EQ((std::set<int>{a, b, c}).size(), 3u);
  EXPECT_EQ(Run(Tokens(10, 100)), a);  // Used again.
  const PrefixCache::Place place = cache_.Take(Wanted(Tokens(10, 400)), {});
  EXPECT_EQ(place.kv_slot.index(), b);
  EXPECT_TRUE(cache_.beginning(b).tokens.empty());
  const KvSlot empty = cache_.TakeEmpty({});
  EXPECT_EQ(empty.index(), c);
  EXPECT_EQ(cache_.TakeReport().evictions, 2);
}

// The last free slot is given away though it is taken from.
TEST_F(PrefixCacheTest, NobodyWaitsForWhatIsKept) {
  const int slot = Run(Tokens(20));
  const PrefixCache::Place a = cache_.Take(Wanted(Tokens(10, 300)), {});
  const PrefixCache::Place b = cache_.Take(Wanted(Tokens(10, 400)), {});
  const PrefixCache::Place last = cache_.Take(Wanted(Tokens(12)), {});
  EXPECT_EQ(last.kv_slot.index(), slot);
  EXPECT_EQ(last.from, slot);
  EXPECT_EQ(last.length, 12);
  EXPECT_EQ(cache_.beginning(slot).tokens, Tokens(12));
}

TEST_F(PrefixCacheTest, WhatAnotherHoldsAsWellIsForgotten) {
  PrefixCache::Place a = cache_.Take(Wanted(Tokens(20)), {});
  PrefixCache::Place b = cache_.Take(Wanted(Tokens(20)), {});
  PrefixCache::Place c = cache_.Take(Wanted(Tokens(20)), {});
  const std::vector<int> slots = {a.kv_slot.index(), b.kv_slot.index(),
                                  c.kv_slot.index()};
  cache_.Holds(slots[0], Tokens(20));
  cache_.Holds(slots[1], Tokens(15));
  cache_.Holds(slots[2], Tokens(10));
  End(std::move(b.kv_slot));  // Before the one that holds as much.
  EXPECT_TRUE(cache_.beginning(slots[1]).tokens.empty());
  End(std::move(a.kv_slot));
  EXPECT_EQ(cache_.tokens_kept(), 20);
  cache_.Holds(slots[2], Tokens(30));
  End(std::move(c.kv_slot));  // Behind it.
  EXPECT_TRUE(cache_.beginning(slots[0]).tokens.empty());
  EXPECT_EQ(cache_.tokens_kept(), 30);
  EXPECT_EQ(cache_.TakeReport().evictions, 0);
}

TEST_F(PrefixCacheTest, KeepsNoMoreThanItMay) {
  const int a = Run(Tokens(40, 100));
  const int b = Run(Tokens(40, 200));
  EXPECT_OK(cache_.CheckInvariants());
  Run(Tokens(40, 300));
  EXPECT_OK(cache_.CheckInvariants());
  EXPECT_TRUE(cache_.beginning(a).tokens.empty());
  EXPECT_FALSE(cache_.beginning(b).tokens.empty());
  const PrefixReport report = cache_.TakeReport();
  EXPECT_EQ(report.tokens_kept, 80);
  EXPECT_EQ(report.evictions, 1);
}

TEST_F(PrefixCacheTest, WithoutTokensItKeepsNothing) {
  PrefixCache off(&pool_, 0);
  for (int i = 0; i < 2; ++i) {
    PrefixCache::Place place = off.Take(Wanted(Tokens(20)), {});
    EXPECT_EQ(place.kv_slot.index(), 0);  // The lowest.
    EXPECT_EQ(place.from, -1);
    off.Holds(0, Tokens(20));
    { const KvSlot ended = std::move(place.kv_slot); }
    off.Settle(0);
  }
  const PrefixReport report = off.TakeReport();
  EXPECT_EQ(report.misses + report.barred + report.hits, 0);
}

}  // namespace
}  // namespace alignsae
