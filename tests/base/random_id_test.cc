#include "model/base/random_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace alignsae {
namespace {

using ::testing::SizeIs;

TEST(RandomIdTest, IsSixteenDigitsAndNeverTheSame) {
  EXPECT_THAT(RandomId(), SizeIs(16));
  EXPECT_NE(RandomId(), RandomId());
}

}  // namespace
}  // namespace alignsae
