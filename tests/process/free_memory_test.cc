#include "server/process/free_memory.h"

#include <gtest/gtest.h>

#include <limits>

#include "server/process/memory_trimmer.h"

namespace alignsae {
namespace {

TEST(FreeMemoryTest, ReadsWhatTheSystemTells) {
  EXPECT_EQ(AvailableOfMeminfo("MemTotal: 9 kB\nMemAvailable:   12 kB\n"),
            12 * 1024);
  EXPECT_EQ(AvailableOfMeminfo("MemTotal: 9 kB\n"), -1);
  const char* groups = "4:memory:/a/b\n1:cpu:/c\n0::/d:e\n";
  EXPECT_EQ(GroupOfProcess(groups, "memory"), "/a/b");
  EXPECT_EQ(GroupOfProcess(groups, ""), "/d:e");
  EXPECT_EQ(GroupOfProcess("", ""), "");
}

TEST(FreeMemoryTest, PagesOfFilesThatNobodyUsesAreFree) {
  EXPECT_EQ(LeftOfGroup(100, 60, 0), 40);
  EXPECT_EQ(LeftOfGroup(100, 60, 25), 65);
  EXPECT_EQ(LeftOfGroup(100, 60, 90), 100);
  EXPECT_EQ(LeftOfGroup(100, 60, -1), 40);
  EXPECT_EQ(LeftOfGroup(100, 120, 0), 0);
  EXPECT_EQ(LeftOfGroup(-1, 60, 0), -1);  // "max" is no number.
  EXPECT_EQ(LeftOfGroup(100, -1, 0), -1);
}

TEST(FreeMemoryTest, ABudgetCountsWhatIsTaken) {
  const int64_t all = FreeMemory(0);
  EXPECT_GT(all, 0);
  EXPECT_LT(all, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(FreeMemory(1), 0);
  const int64_t more = 8 << 20;
  const int64_t left = FreeMemory(ResidentBytes() + more);
  EXPECT_GT(left, 0);
  EXPECT_LE(left, more + (1 << 20));
}

}  // namespace
}  // namespace alignsae
