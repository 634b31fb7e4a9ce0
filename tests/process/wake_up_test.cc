#include "server/process/wake_up.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace alignsae {
namespace {

TEST(WakeUpTest, IsReadableOnceItIsSetAndStaysSo) {
  WakeUp wake;
  pollfd watched = {wake.fd(), POLLIN, 0};
  EXPECT_EQ(poll(&watched, 1, 0), 0);
  wake.Set();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(poll(&watched, 1, 0), 1);
}

TEST(WakeUpTest, IsNotReadableOnceItIsCleared) {
  WakeUp wake;
  pollfd watched = {wake.fd(), POLLIN, 0};
  wake.Set();
  wake.Set();
  wake.Clear();
  EXPECT_EQ(poll(&watched, 1, 0), 0);
  wake.Set();
  EXPECT_EQ(poll(&watched, 1, 0), 1);
}

TEST(PollMillisecondsTest, AreWhatIsLeftAtMostAMinute) {
  EXPECT_EQ(PollMilliseconds(absl::InfiniteFuture()), -1);
  EXPECT_EQ(PollMilliseconds(absl::Now() - absl::Hours(1)), 0);
  EXPECT_EQ(PollMilliseconds(absl::Now() + absl::Hours(1)), 60000);
  const int left = PollMilliseconds(absl::Now() + absl::Seconds(30));
  EXPECT_GT(left, 20000);
  EXPECT_LE(left, 30001);
}

}  // namespace
}  // namespace alignsae
