// Side effects and guards without a transport: what a request becomes, what is
// refused, and what is told. The fake changes the slot of "job" by alpha and
// says that every KL is 0.125.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/api/find_alpha.h"
#include "server/api/parse_generation.h"
#include "server/api/reply_size.h"
#include "server/api/steering_rpcs.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class SideEffectsTest : public ApiTest {
 protected:
  ParseEnv env() {
    return {catalog_.get(), tokenizer_.get(), &limits_,
            [](const Intervention&) { return absl::OkStatus(); }};
  }
  absl::Status Refused(const std::string& request) {
    return ParseGenerate(FromText<v1::GenerateRequest>(request), env(), 1)
        .status();
  }
  // Answers of the rows with an intervention are others.
  void SteeredSaysElse() {
    executor_.row_status = [this](const StepRow& row) {
      steers_ = !row.interventions->empty();
      return absl::OkStatus();
    };
    executor_.next_token = [this](const std::vector<int32_t>& ids) {
      const int32_t next = FakeStepExecutor::NextToken(ids);
      return steers_ && ids.size() > 2 ? next % 90 + 1 : next;
    };
  }

  Limits limits_;
  bool steers_ = false;
};

constexpr char kCity[] =
    "prompt { token_ids { ids: 5 ids: 6 } } target { name: 'city' } generation "
    "{ max_new_tokens: 3 } ";

TEST_F(SideEffectsTest, AMeasuredArmHasAFollowerThatIsNoArm) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseSwap(FromText<v1::SwapRequest>(
                    std::string(kCity) +
                    "side_effects: true guard { max_norm_ratio: 2 }"),
                env(), 1));
  EXPECT_THAT(parsed.asked.arms, SizeIs(2));
  EXPECT_TRUE(parsed.asked.side_effects);
  ASSERT_THAT(parsed.spec.sequences, SizeIs(3));
  const SequenceSpec& steered = parsed.spec.sequences[1];
  EXPECT_TRUE(steered.measure);
  EXPECT_EQ(steered.guard.norm_ratio, 2);
  EXPECT_TRUE(steered.interventions->front().measure);
  EXPECT_EQ(parsed.asked.arms[1].interventions, steered.interventions);
  const SequenceSpec& follower = parsed.spec.sequences[2];
  EXPECT_EQ(follower.follows, 1);
  EXPECT_TRUE(follower.interventions->empty());
  EXPECT_FALSE(follower.measure);
  EXPECT_FALSE(parsed.spec.sequences[0].measure);
}

TEST_F(SideEffectsTest, OnlyAKlTakesAFollower) {
  const auto sequences = [&](const std::string& more) {
    return ParseSwap(FromText<v1::SwapRequest>(kCity + more), env(), 1)
        ->spec.sequences.size();
  };
  EXPECT_EQ(sequences(""), 2u);
  EXPECT_EQ(sequences("guard { max_off_target: 1 }"), 2u);
  EXPECT_EQ(sequences("guard { max_kl: 1 }"), 3u);
  EXPECT_EQ(sequences("side_effects: true"), 3u);
}

TEST_F(SideEffectsTest, ARefusalNamesTheField) {
  const std::string plain = "prompt { text: 'a' } ";
  const std::string steered =
      plain +
      "interventions { mode: INTERVENTION_MODE_ADD target { slot: 0 } "
      "} ";
  EXPECT_THAT(
      Refused(plain + "side_effects: true"),
      StatusIs(kInvalid, "side_effects: must be absent without a steered arm"));
  EXPECT_THAT(
      Refused(plain + "guard { max_kl: 1 }"),
      StatusIs(kInvalid, "guard: must be absent without a steered arm"));
  EXPECT_THAT(Refused(steered + "guard {}"),
              StatusIs(kInvalid, "guard: must have a limit, got none"));
  EXPECT_THAT(Refused(steered + "guard { max_kl: -1 }"),
              StatusIs(kInvalid,
                       "guard.max_kl: must be finite and at least 0, got -1"));
  EXPECT_THAT(
      Refused(steered + "guard { max_off_target: nan }"),
      StatusIs(kInvalid,
               "guard.max_off_target: must be finite and at least 0, got nan"));
  EXPECT_OK(Refused(steered + "guard { max_norm_ratio: 0 }"));
}

TEST_F(SideEffectsTest, ASwapTellsThem) {
  Load();
  SteeredSaysElse();
  v1::SwapResponse answer;
  const WireStatus status =
      Run(&Swap, MakeCall(kRpcSwap),
          FromText<v1::SwapRequest>(std::string(kCity) + "side_effects: true"),
          &answer);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  EXPECT_FALSE(answer.baseline().has_side_effects());
  const v1::SideEffects& effects = answer.steered().side_effects();
  ASSERT_EQ(effects.off_target_size(), 1);
  EXPECT_EQ(effects.off_target(0).concept_name(), "job");
  EXPECT_EQ(effects.off_target(0).change(), 1.25);  // The fake's: alpha.
  EXPECT_EQ(effects.off_target(0).relative_change(), 1.25 / 1.5);
  EXPECT_EQ(effects.off_target(0).position(), 1);
  EXPECT_EQ(effects.max_off_target(), 1.25 / 1.5);
  EXPECT_THAT(effects.kl(), ElementsAre(0.125, 0.125, 0.125));
  EXPECT_EQ(effects.mean_kl(), 0.125);
  EXPECT_EQ(effects.max_kl(), 0.125);
  EXPECT_EQ(effects.first_divergence(), 1);
  EXPECT_EQ(effects.max_norm_ratio(), 1.25 / 2);
  // A stream says the same.
  const auto sink = RunStream(
      &Generate, MakeCall(kRpcGenerate),
      FromText<v1::GenerateRequest>(
          "prompt { token_ids { ids: 5 ids: 6 } } generation { max_new_tokens: "
          "3 } arms: ARM_SELECTION_BOTH side_effects: true interventions { "
          "mode: INTERVENTION_MODE_SWAP target { name: 'city' } alpha: 1.25 "
          "}"));
  ASSERT_EQ(sink->status.code, absl::StatusCode::kOk) << sink->status.message;
  const v1::GenerationSummary& summary = sink->messages.back().summary();
  ASSERT_EQ(summary.arms_size(), 2);
  EXPECT_EQ(summary.arms(1).side_effects().SerializeAsString(),
            effects.SerializeAsString());
  int tokens = 0;
  for (const v1::GenerateResponse& message : sink->messages) {
    tokens += message.has_token() ? 1 : 0;
  }
  EXPECT_EQ(tokens, 6);  // None of the follower's.
}

TEST_F(SideEffectsTest, AGuardEndsAnArmWithItsReason) {
  Load();
  const auto stop = [&](const std::string& guard) {
    v1::SwapResponse answer;
    const WireStatus status =
        Run(&Swap, MakeCall(kRpcSwap),
            FromText<v1::SwapRequest>(kCity + ("guard { " + guard + " }")),
            &answer);
    EXPECT_EQ(status.code, absl::StatusCode::kOk) << status.message;
    EXPECT_EQ(answer.baseline().generated_token_count(), 3);
    EXPECT_FALSE(answer.baseline().has_guard_stop());
    EXPECT_FALSE(answer.steered().has_side_effects());  // Not asked for.
    EXPECT_EQ(answer.steered().has_guard_stop(),
              answer.steered().finish_reason() == v1::FINISH_REASON_GUARD);
    return answer.steered();
  };
  EXPECT_FALSE(stop("max_norm_ratio: 0.625 max_kl: 0.125").has_guard_stop());
  v1::ArmResult arm = stop("max_norm_ratio: 0.6");
  EXPECT_EQ(arm.generated_token_count(), 0);
  EXPECT_EQ(arm.guard_stop().limit(), v1::GUARD_LIMIT_NORM_RATIO);
  EXPECT_EQ(arm.guard_stop().allowed(), 0.6);
  EXPECT_EQ(arm.guard_stop().value(), 0.625);
  EXPECT_EQ(arm.guard_stop().position(), 1);
  EXPECT_EQ(arm.receipts(0).positions_applied(), 1);
  arm = stop("max_off_target: 0.5");
  EXPECT_EQ(arm.guard_stop().limit(), v1::GUARD_LIMIT_OFF_TARGET);
  EXPECT_EQ(arm.guard_stop().concept_name(), "job");
  arm = stop("max_kl: 0.1");
  EXPECT_EQ(arm.guard_stop().limit(), v1::GUARD_LIMIT_KL);
  EXPECT_EQ(arm.guard_stop().position(), 2);
}

TEST_F(SideEffectsTest, ConditionsThatHoldNowhereAreTold) {
  Load();
  v1::SwapResponse answer;
  const WireStatus status =
      Run(&Swap, MakeCall(kRpcSwap),
          FromText<v1::SwapRequest>(
              std::string(kCity) +
              "when { slot { name: 'job' } above: 0.25 } positions { prompt: "
              "PROMPT_SELECTION_ALL }"),
          &answer);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  const v1::InterventionReceipt& receipt = answer.steered().receipts(0);
  EXPECT_TRUE(receipt.has_condition());
  EXPECT_FALSE(receipt.condition());
  EXPECT_EQ(receipt.positions_checked(), 2);
  EXPECT_EQ(receipt.positions_applied(), 0);
  EXPECT_TRUE(Reaches(
      "alignsae_steering_ineffective_total{mode=\"SWAP\",reason=\"no_position\""
      "}",
      "1"));
}

TEST_F(SideEffectsTest, AReplyOfAMeasuredArmIsBounded) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseSwap(FromText<v1::SwapRequest>(
                    std::string(kCity) +
                    "side_effects: true guard { max_off_target: 1 }"),
                env(), 1));
  Load();
  v1::SwapResponse answer;
  Run(&Swap, MakeCall(kRpcSwap),
      FromText<v1::SwapRequest>(
          std::string(kCity) +
          "side_effects: true guard { max_off_target: 0.5 }"),
      &answer);
  EXPECT_TRUE(answer.steered().has_guard_stop());
  const int64_t bytes = GenerationBytes(parsed.spec, 0, env());
  EXPECT_GE(bytes, static_cast<int64_t>(answer.ByteSizeLong()));
}

TEST_F(SideEffectsTest, ASearchHoldsItsTriesToAGuardAndToTheTargetsSlot) {
  Load();
  const std::string two =
      "prompt { token_ids { ids: 5 ids: 6 } } min_alpha: 0.5 max_alpha: 8 "
      "max_tries: 16 generation { max_new_tokens: 1 } ";
  v1::FindAlphaResponse answer;
  // Every try says the same first token; the fake's norm ratio is alpha / 2.
  WireStatus status =
      Run(&FindAlpha, MakeCall(kRpcFindAlpha),
          FromText<v1::FindAlphaRequest>(
              two +
              "target { name: 'city' } guard { max_norm_ratio: 1 } goal "
              "{ first_token: " +
              std::to_string(FakeStepExecutor::NextToken({5, 6})) + " }"),
          &answer);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  EXPECT_TRUE(answer.baseline_reaches());
  EXPECT_EQ(answer.smallest(), 0.5);
  EXPECT_LE(answer.largest(), 2);
  EXPECT_GT(answer.largest(), 1.8);
  for (const v1::AlphaTry& tried : answer.tries()) {
    EXPECT_EQ(tried.reached(), tried.alpha() <= 2);
    EXPECT_EQ(tried.result().has_guard_stop(), tried.alpha() > 2);
  }
  // The fake has the slots 1 and 2 + alpha after an edit: "job" is on top.
  answer.Clear();
  status = Run(&FindAlpha, MakeCall(kRpcFindAlpha),
               FromText<v1::FindAlphaRequest>(
                   two + "target { name: 'job' } goal { target_on_top: true }"),
               &answer);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  EXPECT_EQ(answer.smallest(), 0.5);
  EXPECT_TRUE(answer.open_above());
  EXPECT_FALSE(answer.baseline_reaches());
  answer.Clear();
  status =
      Run(&FindAlpha, MakeCall(kRpcFindAlpha),
          FromText<v1::FindAlphaRequest>(
              two + "target { name: 'city' } goal { target_on_top: true }"),
          &answer);
  EXPECT_FALSE(answer.has_smallest());
  for (const auto& [request, sentence] :
       {std::pair<std::string, std::string>{
            "target { name: 'job' } goal { target_on_top: false }",
            "goal.target_on_top: must be true, got false"},
        {"target { slot: 7 } checkpoint: 'whole' mode: INTERVENTION_MODE_ADD "
         "goal { target_on_top: true }",
         "target: must be a concept, for goal.target_on_top, got slot 7"},
        {"target { name: 'job' } goal { target_on_top: true } positions { "
         "prompt: PROMPT_SELECTION_NONE generated: true }",
         "positions: must name some of the prompt, for goal.target_on_top, got "
         "none"},
        {"target { name: 'job' } goal { answer: 'x' } guard { max_kl: -1 }",
         "guard.max_kl: must be finite and at least 0, got -1"}}) {
    status = Run(&FindAlpha, MakeCall(kRpcFindAlpha),
                 FromText<v1::FindAlphaRequest>(two + request), &answer);
    EXPECT_EQ(status.code, absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message, sentence);
  }
}

// The fake's KL is made alpha / 4 of each steered row; the follower's row is
// without an intervention, and stands behind it.
TEST_F(SideEffectsTest, ASearchComparesEachTryWithTheModelWithoutIt) {
  Load();
  executor_.kl = [](const StepRow& row) {
    return row.interventions->front().alpha / 4;
  };
  v1::FindAlphaResponse answer;
  const WireStatus status = Run(
      &FindAlpha, MakeCall(kRpcFindAlpha),
      FromText<v1::FindAlphaRequest>(
          "prompt { token_ids { ids: 5 ids: 6 } } min_alpha: 0.5 max_alpha: 8 "
          "max_tries: 16 generation { max_new_tokens: 1 } target { name: "
          "'city' } guard { max_kl: 0.5 } goal { first_token: " +
          std::to_string(FakeStepExecutor::NextToken({5, 6})) + " }"),
      &answer);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  EXPECT_TRUE(answer.baseline_reaches());
  EXPECT_FALSE(answer.baseline().has_guard_stop());
  EXPECT_EQ(answer.smallest(), 0.5);
  EXPECT_LE(answer.largest(), 2);
  EXPECT_GT(answer.largest(), 1.8);
  EXPECT_GT(answer.rounds(), 1);
  for (const v1::AlphaTry& tried : answer.tries()) {
    EXPECT_EQ(tried.result().receipts(0).alpha(), tried.alpha());
    EXPECT_EQ(tried.reached(), tried.alpha() <= 2);
    EXPECT_EQ(tried.result().has_guard_stop(), tried.alpha() > 2);
    if (!tried.result().has_guard_stop()) continue;
    const v1::GuardStop& stop = tried.result().guard_stop();
    EXPECT_EQ(stop.limit(), v1::GUARD_LIMIT_KL);
    EXPECT_EQ(stop.allowed(), 0.5);
    EXPECT_EQ(stop.value(), tried.alpha() / 4);
    EXPECT_EQ(stop.position(), 2);
  }
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
}

}  // namespace
}  // namespace alignsae
