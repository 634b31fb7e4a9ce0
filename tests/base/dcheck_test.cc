#include "model/base/dcheck.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

TEST(DcheckTest, LetsPassWhatHolds) {
  int evaluated = 0;
  ALIGNSAE_DCHECK(++evaluated > 0);
#ifdef NDEBUG
  EXPECT_EQ(evaluated, 0);
#else
  EXPECT_EQ(evaluated, 1);
#endif
}

TEST(DcheckTest, EndsTheProcessInDebugBuildsOnly) {
#ifdef NDEBUG
  ALIGNSAE_DCHECK(1 + 1 == 3);
  SUCCEED();
#else
  EXPECT_DEATH(ALIGNSAE_DCHECK(1 + 1 == 3),
               "dcheck_test.cc:[0-9]+: does not hold: 1 \\+ 1 == 3");
#endif
}

}  // namespace
}  // namespace alignsae
