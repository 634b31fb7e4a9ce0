#include "server/api/explain_slot.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

class ExplainSlotTest : public ApiTest {
 protected:
  WireStatus Explain(const std::string& request) {
    return Run(&ExplainSlot, MakeCall(kRpcExplainSlot),
               FromText<v1::ExplainSlotRequest>(request), &response_);
  }
  v1::ExplainSlotResponse response_;
};

TEST_F(ExplainSlotTest, TellsBothEndsWithTheirPieces) {
  Load();
  ASSERT_EQ(Explain("slot { name: 'job' } top_k: 3").code,
            absl::StatusCode::kOk);
  EXPECT_EQ(response_.info().checkpoint(), "main");
  EXPECT_EQ(response_.slot(), 1);
  EXPECT_EQ(response_.concept_name(), "job");
  EXPECT_EQ(response_.hook_point().layer(), 1);
  EXPECT_EQ(response_.direction_norm(), 1);
  ASSERT_EQ(response_.with_ln_f().top_size(), 3);
  ASSERT_EQ(response_.without_ln_f().bottom_size(), 3);
  EXPECT_EQ(response_.with_ln_f().top(1).token_id(), 66);
  EXPECT_EQ(response_.with_ln_f().top(1).logit(), 8);
  EXPECT_FALSE(response_.with_ln_f().top(1).piece().empty());
  EXPECT_EQ(response_.with_ln_f().bottom(0).logit(), -9);
}

TEST_F(ExplainSlotTest, FreeFeaturesNeedTheWholeSae) {
  Load();
  const WireStatus refused = Explain("slot { slot: 7 }");
  EXPECT_EQ(refused.code, absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.message,
            "slot: must be a concept's when only concept slots are loaded, got "
            "7; the server needs --whole-sae");
  ASSERT_EQ(Explain("slot { slot: 7 } checkpoint: 'whole'").code,
            absl::StatusCode::kOk);
  EXPECT_EQ(response_.concept_name(), "");
  EXPECT_EQ(response_.with_ln_f().top_size(), 10);
}

TEST_F(ExplainSlotTest, RefusesWhatBreaksARule) {
  Load();
  EXPECT_EQ(Explain("top_k: 3").message,
            "slot: must name a concept or a slot, got none");
  EXPECT_EQ(Explain("slot { slot: 12 }").code, absl::StatusCode::kNotFound);
  EXPECT_EQ(Explain("slot { slot: 1 } top_k: 0").message,
            "top_k: must be in [1, 1000], got 0");
  EXPECT_EQ(Explain("slot { slot: 1 } checkpoint: 'x'").code,
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace alignsae
