#include "model/train/eval/share.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

TEST(ShareTest, HasItsTriesRateAndInterval) {
  const nlohmann::ordered_json share = ShareToJson(11, 12);
  EXPECT_EQ(share["n"], 12);
  EXPECT_DOUBLE_EQ(share["rate"].get<double>(), 11.0 / 12);
  EXPECT_EQ(ShareText(share), "0.917 [0.646, 0.985]");
  EXPECT_EQ(ShareText(nullptr), "-");
}

}  // namespace
}  // namespace alignsae
