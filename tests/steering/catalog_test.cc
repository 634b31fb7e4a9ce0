#include "model/steering/catalog.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

TEST(HookPointTest, NamesOneSiteFromBothSides) {
  const HookPoint pre{HookKind::kResidPre, 3};
  const HookPoint post{HookKind::kResidPost, 2};
  EXPECT_EQ(pre.site(), 3);
  EXPECT_EQ(post.site(), 3);
  EXPECT_FALSE(pre == post);
  EXPECT_EQ(pre.ToString(), "resid_pre[3]");
  EXPECT_EQ(post.ToString(), "resid_post[2]");
}

TEST(CatalogTest, FindsACheckpointByItsWholeName) {
  Catalog catalog;
  catalog.checkpoints.resize(2);
  catalog.checkpoints[0].name = "main";
  catalog.checkpoints[1].name = "other";
  EXPECT_EQ(catalog.FindCheckpoint("other"), 1);
  EXPECT_EQ(catalog.FindCheckpoint("mai"), std::nullopt);
  EXPECT_EQ(catalog.FindCheckpoint(""), std::nullopt);
}

}  // namespace
}  // namespace alignsae
