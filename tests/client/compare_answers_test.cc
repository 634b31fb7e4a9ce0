#include "client/cli/compare_answers.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace alignsae {
namespace {

v1::ArmResult Arm() {
  v1::ArmResult arm;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "arm: ARM_STEERED finish_reason: FINISH_REASON_EOS "
      "tokens { id: 5 logprob: -1.5 top_logprobs { id: 5 logprob: -1.5 } "
      "         top_logprobs { id: 9 logprob: -2 } } "
      "receipts { mode: INTERVENTION_MODE_SWAP target_slot: 3 alpha: 1 "
      "  positions_applied: 1 receipt_id: 'a' "
      "  effects { position: 4 residual_norm: 7 change_norm: 11 } }",
      &arm));
  return arm;
}

TEST(CompareAnswersTest, NamesOfCallsAreNoPartOfAnAnswer) {
  v1::ArmResult again = Arm();
  again.mutable_receipts(0)->set_receipt_id("b");
  again.mutable_receipts(0)->set_generation_id(2);
  const AnswerDifference same = CompareArms({Arm()}, {again});
  EXPECT_EQ(same.what, "");
  EXPECT_EQ(same.tokens, 1);
  EXPECT_EQ(same.largest_logprob, 0);
}

TEST(CompareAnswersTest, TellsTheFirstThingThatIsNotAsItWas) {
  v1::ArmResult again = Arm();
  again.mutable_tokens(0)->set_id(6);
  again.set_finish_reason(v1::FINISH_REASON_LENGTH);
  EXPECT_EQ(CompareArms({Arm()}, {again}).what,
            "arms[0].tokens[0].id was 5 and is 6");
  again = Arm();
  again.mutable_receipts(0)->set_target_slot(4);
  EXPECT_EQ(CompareArms({Arm()}, {again}).what,
            "arms[0].receipts[0].target_slot was 3 and is 4");
  again = Arm();
  again.mutable_receipts(0)->mutable_effects(0)->set_change_norm(11.1);
  EXPECT_EQ(CompareArms({Arm()}, {again}).what,
            "arms[0].receipts[0].effects[0].change_norm was 11 and is 11.1");
  EXPECT_EQ(CompareArms({Arm()}, {}).what, "arms was 1 and is 0");
}

TEST(CompareAnswersTest, LogprobsMayDifferByATenThousandth) {
  v1::ArmResult again = Arm();
  again.mutable_tokens(0)->set_logprob(-1.50009F);
  const AnswerDifference near = CompareArms({Arm()}, {again});
  EXPECT_EQ(near.what, "");
  EXPECT_NEAR(near.largest_logprob, 9e-5, 1e-6);
  again.mutable_tokens(0)->set_logprob(-1.50011F);
  EXPECT_NE(CompareArms({Arm()}, {again}).what, "");
  again = Arm();
  again.mutable_tokens(0)->mutable_top_logprobs(1)->set_logprob(-2.001F);
  EXPECT_NE(CompareArms({Arm()}, {again}).what, "");
  again.mutable_tokens(0)->mutable_top_logprobs(1)->set_logprob(
      std::numeric_limits<float>::quiet_NaN());
  EXPECT_NE(CompareArms({Arm()}, {again}).what, "");
}

}  // namespace
}  // namespace alignsae
