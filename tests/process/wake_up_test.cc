#include "server/process/wake_up.h"

#include <gtest/gtest.h>
#include <poll.h>

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

}  // namespace
}  // namespace alignsae
