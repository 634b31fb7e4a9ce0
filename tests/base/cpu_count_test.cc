#include "model/base/cpu_count.h"

#include <gtest/gtest.h>
#include <sched.h>

namespace alignsae {
namespace {

TEST(CpuCountTest, QuotaIsRoundedUpToWholeProcessors) {
  EXPECT_EQ(CpusOfQuota("200000 100000\n"), 2);
  EXPECT_EQ(CpusOfQuota("150000 100000"), 2);
  EXPECT_EQ(CpusOfQuota("20000 100000"), 1);
}

TEST(CpuCountTest, NoQuotaOrNonsenseIsNoLimit) {
  for (const char* text :
       {"max 100000\n", "", "200000", "a b", "-1 100000", "5 0", "1 2 3"}) {
    EXPECT_EQ(CpusOfQuota(text), 0) << text;
  }
}

TEST(CpuCountTest, CountsTheProcessorsOfTheAffinityMask) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  EXPECT_GE(AvailableCpus(), 1);
  EXPECT_LE(AvailableCpus(), CPU_COUNT(&before));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(AvailableCpus(), 1);
  sched_setaffinity(0, sizeof(before), &before);
}

}  // namespace
}  // namespace alignsae
