#include "model/scheduler/kv_residency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class KvResidencyTest : public ::testing::Test {
 protected:
  // What is trimmed when of each slot this is needed.
  std::vector<std::pair<int, KvRange>> Trim(std::vector<KvRange> needed) {
    std::vector<std::pair<int, KvRange>> trimmed;
    residency_.TrimToBudget([&needed](int slot) { return needed[slot]; },
                            [&trimmed](int slot, const KvRange& keep) {
                              trimmed.emplace_back(slot, keep);
                            });
    return trimmed;
  }

  KvResidency residency_{3, 100};
};

TEST_F(KvResidencyTest, WhatIsWithinTheBudgetStays) {
  residency_.Use(0, {0, 60});
  residency_.Use(1, {20, 60});
  EXPECT_EQ(residency_.tokens(), 100);
  EXPECT_THAT(Trim({{}, {}, {}}), IsEmpty());
  residency_.Use(0, {10, 30});  // Is there.
  EXPECT_EQ(residency_.tokens(), 100);
}

TEST_F(KvResidencyTest, NoMoreGoesThanHasTo) {
  residency_.Use(0, {0, 60});
  residency_.Use(1, {0, 30});
  residency_.Use(2, {0, 20});
  EXPECT_THAT(Trim({{}, {}, {}}), ElementsAre(Pair(2, KvRange{})));
  EXPECT_EQ(residency_.tokens(), 90);
}

TEST_F(KvResidencyTest, WhatIsNeededStays) {
  residency_.Use(0, {0, 90});
  residency_.Use(1, {0, 40});
  residency_.Use(2, {5, 45});
  EXPECT_THAT(Trim({{0, 15}, {10, 40}, {5, 45}}),
              ElementsAre(Pair(1, KvRange{10, 40}), Pair(0, KvRange{0, 15})));
  EXPECT_EQ(residency_.tokens(), 15 + 30 + 40);
}

// Behind a gap the pages between may have memory too.
TEST_F(KvResidencyTest, AGapCountsAsWritten) {
  residency_.Use(1, {0, 10});
  residency_.Use(1, {50, 60});
  EXPECT_EQ(residency_.tokens(), 60);
}

}  // namespace
}  // namespace alignsae
