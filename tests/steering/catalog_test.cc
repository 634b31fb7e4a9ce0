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

TEST(HookPointTest, LieInTheOrderOfAForwardPass) {
  const int n_layer = 3;
  int place = -1;
  for (int layer = 0; layer < n_layer; ++layer) {
    for (HookKind kind : kHookKinds) {
      const HookPoint hook = {kind, layer};
      // The end of a block is the start of the next.
      const bool same = kind == HookKind::kResidPre && layer > 0;
      EXPECT_EQ(hook.place(), same ? place : place + 1) << hook.ToString();
      place = hook.place();
      const bool inside =
          kind != HookKind::kResidPre && kind != HookKind::kResidPost;
      EXPECT_EQ(hook.inside_block(), inside) << hook.ToString();
      EXPECT_EQ(hook.site(), kind == HookKind::kResidPost ? layer + 1 : layer);
      EXPECT_EQ(hook.site_behind(),
                kind == HookKind::kResidPre ? layer : layer + 1);
    }
  }
}

TEST(HookPointTest, EveryKindIsFoundByItsName) {
  for (HookKind kind : kHookKinds) {
    EXPECT_EQ(ParseHookKind(HookKindName(kind)), kind);
  }
  EXPECT_EQ(ParseHookKind("hook_z"), std::nullopt);
  EXPECT_EQ(ParseHookKind(""), std::nullopt);
  EXPECT_EQ(HookKindNames(),
            "resid_pre, attn_out, resid_mid, mlp_out or resid_post");
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
