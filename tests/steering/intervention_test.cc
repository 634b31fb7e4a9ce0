#include "model/steering/intervention.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

TEST(InterventionTest, AppliesAtItsPromptPositionsAndGeneratedTokensIfAsked) {
  Intervention intervention;
  intervention.positions.prompt = {1, 3};
  EXPECT_FALSE(intervention.AppliesAt(0, 4));
  EXPECT_TRUE(intervention.AppliesAt(1, 4));
  EXPECT_FALSE(intervention.AppliesAt(2, 4));
  EXPECT_TRUE(intervention.AppliesAt(3, 4));
  EXPECT_FALSE(intervention.AppliesAt(4, 4));
  intervention.positions.generated = true;
  EXPECT_FALSE(intervention.AppliesAt(2, 4));
  EXPECT_TRUE(intervention.AppliesAt(4, 4));
  EXPECT_TRUE(intervention.AppliesAt(100, 4));
}

}  // namespace
}  // namespace alignsae
