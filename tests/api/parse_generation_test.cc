// Generate, Complete and Swap: what is taken and, word for word, what is
// refused.

#include "server/api/parse_generation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_payload.h"
#include "server/api/reply_size.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kFresh = 77;

std::string Edit(const std::string& fields) {
  return "interventions { mode: INTERVENTION_MODE_ADD target { slot: 0 } } "
         "interventions { " +
         fields + " }";
}
std::string Mode(const std::string& mode, const std::string& fields) {
  return Edit("mode: INTERVENTION_MODE_" + mode + " target { name: 'job' } " +
              fields);
}
std::string Vector(const std::string& fields) {
  return Edit(
      "mode: INTERVENTION_MODE_ADD vector { values: 1 hook { kind: "
      "HOOK_KIND_MLP_OUT layer: 2 } } " +
      fields);
}
Bad BadConfig(const std::string& name, const std::string& field,
              const std::string& value, const std::string& rule,
              const std::string& shown = "") {
  return {name, "generation { " + field + ": " + value + " }", kInvalid,
          "generation." + field + ": must " + rule + ", got " +
              (shown.empty() ? value : shown)};
}

std::vector<v1::Arm> ArmsOf(const ParsedGeneration& parsed) {
  std::vector<v1::Arm> arms;
  for (const AskedArm& arm : parsed.asked.arms) arms.push_back(arm.arm);
  return arms;
}

class BadGenerateTest : public ParseTest,
                        public ::testing::WithParamInterface<Bad> {};

TEST_P(BadGenerateTest, IsRefusedTheSameWayByBothTwins) {
  limits_.max_new_tokens = 100;
  limits_.max_interventions = 3;
  const std::string text =
      (GetParam().request.find("prompt {") == std::string::npos
           ? "prompt { text: 'abcd' } "
           : "") +
      GetParam().request;
  EXPECT_THAT(ParseComplete(FromText<v1::CompleteRequest>(text), env(), kFresh),
              StatusIs(GetParam().code, GetParam().sentence));
  EXPECT_THAT(ParseGenerate(FromText<v1::GenerateRequest>(text), env(), kFresh),
              StatusIs(GetParam().code, GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    Config, BadGenerateTest,
    ::testing::Values(
        BadConfig("ZeroTokens", "max_new_tokens", "0", "be in [1, 100]"),
        BadConfig("NegativeTokens", "max_new_tokens", "-1", "be in [1, 100]"),
        BadConfig("TokensOverLimit", "max_new_tokens", "101", "be in [1, 100]"),
        BadConfig("TokensOverContext", "max_new_tokens", "61",
                  "be at most 60 after a prompt of 4 tokens",
                  "61; the context has 64 positions"),
        BadConfig("NegativeTemperature", "temperature", "-0.5",
                  "be in [0, 100]"),
        BadConfig("HotTemperature", "temperature", "101", "be in [0, 100]"),
        BadConfig("NanTemperature", "temperature", "nan", "be in [0, 100]"),
        BadConfig("NegativeTopK", "top_k", "-1", "be in [0, 260]"),
        BadConfig("TopKOverVocabulary", "top_k", "261", "be in [0, 260]"),
        BadConfig("ZeroTopP", "top_p", "0", "be in (0, 1]"),
        BadConfig("TopPOverOne", "top_p", "1.5", "be in (0, 1]"),
        BadConfig("NanTopP", "top_p", "nan", "be in (0, 1]"),
        BadConfig("ZeroPenalty", "repetition_penalty", "0", "be in (0, 10]"),
        BadConfig("HugePenalty", "repetition_penalty", "11", "be in (0, 10]"),
        BadConfig("InfinitePenalty", "repetition_penalty", "inf",
                  "be in (0, 10]"),
        BadConfig("LargeFrequencyPenalty", "frequency_penalty", "2.5",
                  "be in [-2, 2]"),
        BadConfig("NanFrequencyPenalty", "frequency_penalty", "nan",
                  "be in [-2, 2]"),
        BadConfig("SmallPresencePenalty", "presence_penalty", "-2.5",
                  "be in [-2, 2]"),
        BadConfig("NanPresencePenalty", "presence_penalty", "nan",
                  "be in [-2, 2]"),
        BadConfig("NegativeMinNewTokens", "min_new_tokens", "-1",
                  "be in [0, 32]"),
        BadConfig("MinNewTokensOverMax", "min_new_tokens", "33",
                  "be in [0, 32]"),
        BadConfig("NegativePromptLogprobs", "prompt_logprobs", "-1",
                  "be in [0, 20]"),
        BadConfig("TooManyPromptLogprobs", "prompt_logprobs", "21",
                  "be in [0, 20]"),
        Bad{"BiasOfNoToken", "generation { logit_bias { key: 260 value: 1 } }",
            kInvalid,
            "generation.logit_bias: must name tokens in [0, 260), got 260"},
        Bad{"BiasOfANegativeToken",
            "generation { logit_bias { key: -1 value: 1 } }", kInvalid,
            "generation.logit_bias: must name tokens in [0, 260), got -1"},
        Bad{"LargeBias", "generation { logit_bias { key: 5 value: 100.5 } }",
            kInvalid,
            "generation.logit_bias[5]: must be in [-100, 100], got 100.5"},
        Bad{"NanBias", "generation { logit_bias { key: 5 value: nan } }",
            kInvalid,
            "generation.logit_bias[5]: must be in [-100, 100], got nan"},
        BadConfig("NegativeLogprobs", "top_logprobs", "-1", "be in [0, 20]"),
        BadConfig("TooManyLogprobs", "top_logprobs", "21", "be in [0, 20]"),
        Bad{"EmptyStop",
            "generation { stop_sequences: 'a' stop_sequences: '' }", kInvalid,
            "generation.stop_sequences[1]: must hold 1 to 128 bytes, got 0"},
        Bad{"LongStop",
            "generation { stop_sequences: '" + std::string(129, 's') + "' }",
            kInvalid,
            "generation.stop_sequences[0]: must hold 1 to 128 bytes, got 129"},
        Bad{"ManyStops",
            "generation { " +
                [] {
                  std::string stops;
                  for (int i = 0; i < 17; ++i) stops += "stop_sequences: 'x' ";
                  return stops;
                }() +
                "}",
            kInvalid,
            "generation.stop_sequences: must hold at most 16 of them, got 17"},
        Bad{"NoRoomForAnAnswer",
            "prompt { text: '" + std::string(64, 'x') + "' }", kInvalid,
            "prompt: must have at most 63 tokens to leave room for an answer, "
            "got 64"},
        Bad{"NoPrompt", "prompt {}", kInvalid,
            "prompt: must set one of text, question and token_ids, got none"},
        Bad{"UnknownCheckpoint", "checkpoint: 'x'", kNotFound,
            "checkpoint: must be one of main, whole, got \"x\""},
        Bad{"UnknownArm", "arms: 9", kInvalid,
            "arms: must be BASELINE, STEERED or BOTH, got 9"},
        Bad{"SteeredWithoutEdits", "arms: ARM_SELECTION_STEERED", kInvalid,
            "arms: must be BASELINE when there are no interventions, got "
            "STEERED"},
        Bad{"BothWithoutEdits", "arms: ARM_SELECTION_BOTH", kInvalid,
            "arms: must be BASELINE when there are no interventions, got BOTH"},
        Bad{"BaselineWithEdits",
            "arms: ARM_SELECTION_BASELINE " + Mode("ADD", ""), kInvalid,
            "arms: must be STEERED or BOTH when there are interventions, got "
            "BASELINE and 2 of them"}),
    &NameOf);

INSTANTIATE_TEST_SUITE_P(
    Interventions, BadGenerateTest,
    ::testing::Values(
        Bad{"TooMany", Mode("ADD", "") + Mode("ADD", ""), kInvalid,
            "interventions: must hold at most 3 of them, got 4"},
        Bad{"NoMode", Edit("target { slot: 0 }"), kInvalid,
            "interventions[1].mode: must be one of ADD, ADD_NORM_MATCHED, SET, "
            "MULTIPLY, ABLATE, SWAP, REPLACE, PROJECT_OUT, got UNSPECIFIED"},
        Bad{"UnknownMode", Edit("mode: 99 target { slot: 0 }"), kInvalid,
            "interventions[1].mode: must be one of ADD, ADD_NORM_MATCHED, SET, "
            "MULTIPLY, ABLATE, SWAP, REPLACE, PROJECT_OUT, got 99"},
        Bad{"NoTarget", Edit("mode: INTERVENTION_MODE_ADD"), kInvalid,
            "interventions[1].target: must name a concept or a slot, got none"},
        Bad{"UnknownConcept",
            Edit("mode: INTERVENTION_MODE_ADD target { name: 'spouse' }"),
            kNotFound,
            "interventions[1].target.name: must be a concept of checkpoint "
            "main, got \"spouse\""},
        Bad{"EmptyConcept",
            Edit("mode: INTERVENTION_MODE_ADD target { name: '' }"), kNotFound,
            "interventions[1].target.name: must be a concept of checkpoint "
            "main, got \"\""},
        Bad{"NegativeSlot",
            Edit("mode: INTERVENTION_MODE_ADD target { slot: -1 }"), kNotFound,
            "interventions[1].target.slot: must be in [0, 11], got -1; "
            "checkpoint main has 12 slots"},
        Bad{"SlotOverFeatures",
            Edit("mode: INTERVENTION_MODE_ADD target { slot: 12 }"), kNotFound,
            "interventions[1].target.slot: must be in [0, 11], got 12; "
            "checkpoint main has 12 slots"},
        Bad{"UnknownCheckpointOfAnEdit",
            Edit("mode: INTERVENTION_MODE_ADD target { slot: 0 } checkpoint: "
                 "'x'"),
            kNotFound,
            "interventions[1].checkpoint: must be one of main, whole, got "
            "\"x\""},
        Bad{"VectorWithTarget", Vector("target { slot: 0 }"), kInvalid,
            "interventions[1].target: must be absent beside a vector"},
        Bad{"VectorWithSource", Vector("source { slot: 0 }"), kInvalid,
            "interventions[1].source: must be absent beside a vector"},
        Bad{"VectorWithCheckpoint", Vector("checkpoint: 'main'"), kInvalid,
            "interventions[1].checkpoint: must be absent beside a vector, got "
            "\"main\""},
        Bad{"VectorWithUnit", Vector("unit: ALPHA_UNIT_RAW"), kInvalid,
            "interventions[1].unit: must be absent for ADD, got RAW"},
        Bad{"VectorWithoutHook",
            Edit("mode: INTERVENTION_MODE_ADD vector { values: 1 }"), kInvalid,
            "interventions[1].vector.hook.kind: must be resid_pre, attn_out, "
            "resid_mid, mlp_out or resid_post, got HOOK_KIND_UNSPECIFIED"},
        Bad{"AlphaOfProjectOut",
            Edit("mode: INTERVENTION_MODE_PROJECT_OUT target { slot: 0 } "
                 "alpha: 1"),
            kInvalid,
            "interventions[1].alpha: must be absent for PROJECT_OUT, got 1"},
        Bad{"NanAlpha", Mode("ADD", "alpha: nan"), kInvalid,
            "interventions[1].alpha: must be finite, got nan"},
        Bad{"InfiniteAlpha", Mode("SWAP", "alpha: -inf"), kInvalid,
            "interventions[1].alpha: must be finite, got -inf"},
        Bad{"AlphaOfAblate", Mode("ABLATE", "alpha: 1"), kInvalid,
            "interventions[1].alpha: must be absent for ABLATE, got 1"},
        Bad{"SourceOfAdd", Mode("ADD", "source { slot: 0 }"), kInvalid,
            "interventions[1].source: must be absent for ADD"},
        Bad{"SourceIsTarget", Mode("SWAP", "source { slot: 1 }"), kInvalid,
            "interventions[1].source: must differ from target, got slot 1 for "
            "both"},
        Bad{"SourceWithoutName", Mode("SWAP", "source {}"), kInvalid,
            "interventions[1].source: must name a concept or a slot, got none"},
        Bad{"UnitOfAdd", Mode("ADD", "unit: ALPHA_UNIT_RAW"), kInvalid,
            "interventions[1].unit: must be absent for ADD, got RAW"},
        Bad{"UnknownUnit", Mode("SET", "unit: 7"), kInvalid,
            "interventions[1].unit: must be ACTIVE_MEAN or RAW, got 7"},
        Bad{"NothingSelected",
            Mode("ADD", "positions { prompt: PROMPT_SELECTION_NONE }"),
            kInvalid,
            "interventions[1].positions: must select prompt tokens or "
            "generated tokens, got neither"},
        Bad{"ReversedWindow",
            Mode("ADD",
                 "positions { prompt: PROMPT_SELECTION_WINDOW window { start: "
                 "3 stop: 1 } }"),
            kInvalid,
            "interventions[1].positions.window: must have start below stop, "
            "got [3, 1), which is [3, 1) of 4 tokens"}),
    &NameOf);

TEST_F(ParseTest, DefaultsAreGreedyAnd32Tokens) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseComplete(FromText<v1::CompleteRequest>("prompt { text: 'abcd' }"),
                    env(), kFresh));
  EXPECT_THAT(ArmsOf(parsed), ElementsAre(v1::ARM_BASELINE));
  EXPECT_EQ(parsed.asked.seed, kFresh);
  EXPECT_EQ(parsed.asked.checkpoint, 0);
  ASSERT_THAT(parsed.spec.sequences, SizeIs(1));
  const SequenceSpec& sequence = parsed.spec.sequences[0];
  EXPECT_EQ(sequence.max_new_tokens, 32);
  EXPECT_EQ(sequence.sampling.temperature, 0);
  EXPECT_EQ(sequence.sampling.top_p, 1);
  EXPECT_EQ(sequence.sampling.repetition_penalty, 1);
  EXPECT_EQ(sequence.reading_checkpoint, 0);
  EXPECT_THAT(*sequence.interventions, IsEmpty());
}

TEST_F(ParseTest, TakesWhatChangesTheNextToken) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseComplete(
          FromText<v1::CompleteRequest>(
              "prompt { text: 'abcd' } generation { frequency_penalty: 0.5 "
              "presence_penalty: -1 min_new_tokens: 3 prompt_logprobs: 0 "
              "logit_bias { key: 7 value: -2.5 } }"),
          env(), kFresh));
  const SequenceSpec& sequence = parsed.spec.sequences[0];
  EXPECT_EQ(sequence.sampling.frequency_penalty, 0.5);
  EXPECT_EQ(sequence.sampling.presence_penalty, -1);
  EXPECT_EQ(sequence.min_new_tokens, 3);
  EXPECT_EQ(sequence.prompt_logprobs, 0);
  ASSERT_NE(sequence.sampling.logit_bias, nullptr);
  ASSERT_THAT(*sequence.sampling.logit_bias, SizeIs(1));
  EXPECT_EQ((*sequence.sampling.logit_bias)[0].token, 7);
  EXPECT_EQ((*sequence.sampling.logit_bias)[0].bias, -2.5f);
}

TEST_F(ParseTest, BiasesAreBounded) {
  limits_.max_logit_biases = 2;
  std::string biases;
  for (int i = 0; i < 3; ++i) {
    biases += absl::StrCat("logit_bias { key: ", i, " value: 1 } ");
  }
  EXPECT_THAT(
      ParseComplete(FromText<v1::CompleteRequest>(
                        "prompt { text: 'a' } generation { " + biases + "}"),
                    env(), kFresh)
          .status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "generation.logit_bias: must hold at most 2 tokens, got 3"));
}

TEST_F(ParseTest, TheDefaultLengthIsWhatIsLeftOfTheContext) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseComplete(FromText<v1::CompleteRequest>("prompt { text: '" +
                                                  std::string(60, 'x') + "' }"),
                    env(), kFresh));
  EXPECT_EQ(parsed.spec.sequences[0].max_new_tokens, 4);
}

TEST_F(ParseTest, BothArmsShareEverythingButTheInterventions) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseGenerate(
          FromText<v1::GenerateRequest>(
              "prompt { text: 'abcd' } checkpoint: 'whole' arms: "
              "ARM_SELECTION_BOTH generation { seed: 18446744073709551615 "
              "temperature: 1e-30 stop_sequences: 'x' } interventions { mode: "
              "INTERVENTION_MODE_SWAP target { name: 'job' } alpha: 0 unit: "
              "ALPHA_UNIT_RAW positions { prompt: PROMPT_SELECTION_LIST "
              "positions: -1 positions: 0 generated: true } }"),
          env(), kFresh));
  EXPECT_THAT(ArmsOf(parsed), ElementsAre(v1::ARM_BASELINE, v1::ARM_STEERED));
  EXPECT_EQ(parsed.spec.grouping, Grouping::kTogether);
  EXPECT_EQ(parsed.asked.seed, std::numeric_limits<uint64_t>::max());
  ASSERT_THAT(parsed.spec.sequences, SizeIs(2));
  EXPECT_THAT(*parsed.spec.sequences[0].interventions, IsEmpty());
  ASSERT_THAT(*parsed.spec.sequences[1].interventions, SizeIs(1));
  const Intervention& swap = (*parsed.spec.sequences[1].interventions)[0];
  EXPECT_EQ(swap.checkpoint, 1);
  EXPECT_EQ(swap.target_slot, 1);
  EXPECT_EQ(swap.source_slot, std::nullopt);
  EXPECT_EQ(swap.alpha, 0);
  EXPECT_EQ(swap.unit, AlphaUnit::kRaw);
  EXPECT_THAT(swap.positions.prompt, ElementsAre(0, 3));
  EXPECT_TRUE(swap.positions.generated);
  for (const SequenceSpec& sequence : parsed.spec.sequences) {
    EXPECT_EQ(sequence.sampling.seed, parsed.asked.seed);
    EXPECT_THAT(sequence.stop_sequences, ElementsAre("x"));
  }
}

TEST_F(ParseTest, AVectorNeedsNoCheckpoint) {
  auto bare = std::make_shared<Catalog>(*catalog_);
  bare->checkpoints.clear();
  catalog_ = bare;
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseComplete(FromText<v1::CompleteRequest>(
                        "prompt { text: 'abcd' } interventions { mode: "
                        "INTERVENTION_MODE_ADD_NORM_MATCHED alpha: -2 vector { "
                        "values: [1, -2.5] hook { kind: HOOK_KIND_RESID_MID "
                        "layer: 3 } } positions { generated: true } }"),
                    env(), kFresh));
  const Intervention& edit = (*parsed.spec.sequences[0].interventions)[0];
  ASSERT_NE(edit.vector, nullptr);
  EXPECT_EQ(edit.vector->hook, (HookPoint{HookKind::kResidMid, 3}));
  EXPECT_THAT(edit.vector->values, ElementsAre(1, -2.5));
  EXPECT_EQ(edit.mode, InterventionMode::kAddNormMatched);
  EXPECT_EQ(edit.alpha, -2);
  EXPECT_THAT(edit.positions.prompt, ElementsAre(3));
  EXPECT_TRUE(edit.positions.generated);
}

TEST_F(ParseTest, WhatTheCheckpointCannotRunIsToldUnderTheFieldsName) {
  applicable_ = FieldStatus({"mode", "be another one", ""}, kPrecondition);
  EXPECT_THAT(
      ParseComplete(FromText<v1::CompleteRequest>(
                        "prompt { text: 'a' } interventions { mode: "
                        "INTERVENTION_MODE_REPLACE target { slot: 1 } }"),
                    env(), kFresh),
      StatusIs(kPrecondition, "interventions[0].mode: must be another one"));
  applicable_ = FieldStatus({"source_slot", "be given", ""}, kPrecondition);
  EXPECT_THAT(ParseSwap(FromText<v1::SwapRequest>(
                            "prompt { text: 'a' } target { name: 'job' }"),
                        env(), kFresh),
              StatusIs(kPrecondition, "source: must be given"));
}

TEST_F(ParseTest, WhatARefusalCarriesReachesTheCaller) {
  const std::string prompt = "prompt { text: 'a' } ";
  const absl::Status plain = WithRetryAfter(
      WithReason(absl::FailedPreconditionError("model: is busy"), "BUSY"),
      absl::Seconds(7));
  const absl::Status field = WithRetryAfter(
      WithReason(FieldStatus({"target_slot", "be free", "1"}, kPrecondition),
                 "BUSY"),
      absl::Seconds(7));
  for (const absl::Status& refusal : {plain, field}) {
    applicable_ = refusal;
    for (const absl::Status& told :
         {ParseComplete(FromText<v1::CompleteRequest>(
                            prompt + "interventions { mode: "
                                     "INTERVENTION_MODE_ADD target { slot: 1 "
                                     "} }"),
                        env(), kFresh)
              .status(),
          ParseSwap(FromText<v1::SwapRequest>(prompt + "target { slot: 1 }"),
                    env(), kFresh)
              .status()}) {
      EXPECT_EQ(told.code(), kPrecondition);
      EXPECT_EQ(ReasonOf(told), "BUSY");
      EXPECT_EQ(RetryAfterOf(told), absl::Seconds(7));
    }
  }
}

TEST_F(ParseTest, APlainSaeHasNothingToTrace) {
  auto catalog = std::make_shared<Catalog>(*catalog_);
  catalog->checkpoints[1].concepts.clear();
  catalog_ = catalog;
  EXPECT_THAT(
      ParseComplete(FromText<v1::CompleteRequest>(
                        "prompt { text: 'x' } checkpoint: 'whole' generation { "
                        "concept_trace: true }"),
                    env(), kFresh),
      StatusIs(kPrecondition,
               "generation.concept_trace: must have concepts to read, got "
               "whole, which has none"));
}

TEST_F(ParseTest, WhatTheAnswerIsMadeWithIsTakenFromTheSequences) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseSwap(FromText<v1::SwapRequest>(
                    "prompt { text: 'abcd' } target { slot: 1 } generation { "
                    "seed: 5 stop_sequences: 'x' }"),
                env(), kFresh));
  ASSERT_THAT(parsed.asked.arms, SizeIs(2));
  for (size_t i = 0; i < 2; ++i) {
    const SequenceSpec& sequence = parsed.spec.sequences[i];
    // Shared, not copied.
    EXPECT_EQ(parsed.asked.arms[i].interventions, sequence.interventions);
    EXPECT_EQ(parsed.asked.stop_sequences, sequence.stop_sequences);
    EXPECT_EQ(parsed.asked.checkpoint, sequence.reading_checkpoint);
    EXPECT_EQ(parsed.asked.seed, sequence.sampling.seed);
  }
}

TEST_F(ParseTest, AServerWithoutCheckpointsGeneratesButDoesNotTraceOrSteer) {
  auto catalog = std::make_shared<Catalog>(*catalog_);
  catalog->checkpoints.clear();
  catalog_ = catalog;
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseComplete(FromText<v1::CompleteRequest>("prompt { text: 'a' }"),
                    env(), kFresh));
  EXPECT_EQ(parsed.asked.checkpoint, std::nullopt);
  EXPECT_THAT(
      ParseComplete(
          FromText<v1::CompleteRequest>(
              "prompt { text: 'a' } generation { concept_trace: true }"),
          env(), kFresh),
      StatusIs(kPrecondition,
               "generation.concept_trace: must be off without a "
               "checkpoint, got on"));
  EXPECT_THAT(ParseSwap(FromText<v1::SwapRequest>(
                            "prompt { text: 'a' } target { name: 'job' }"),
                        env(), kFresh),
              StatusIs(kPrecondition,
                       "checkpoint: must be loaded, got a server without any"));
}

TEST_F(ParseTest, AReplyOverTheLimitIsRefusedBeforeTheWork) {
  const std::string text =
      "prompt { text: 'a' } generation { top_logprobs: 20 max_new_tokens: 63 }";
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseComplete(FromText<v1::CompleteRequest>(text), env(), kFresh));
  const int64_t bytes =
      GenerationBytes(parsed.spec, parsed.asked.checkpoint, env());
  limits_.max_send_message_bytes = static_cast<int>(bytes);
  EXPECT_OK(ParseComplete(FromText<v1::CompleteRequest>(text), env(), kFresh));
  limits_.max_send_message_bytes = static_cast<int>(bytes) - 1;
  const absl::Status refused =
      ParseComplete(FromText<v1::CompleteRequest>(text), env(), kFresh)
          .status();
  EXPECT_THAT(refused,
              StatusIs(kInvalid,
                       absl::StrCat("generation.max_new_tokens: must keep the "
                                    "answer within ",
                                    bytes - 1, " bytes, got up to ", bytes,
                                    "; ask for less")));
  EXPECT_EQ(ReasonOf(refused), kReasonReplyTooLarge);
  // A stream sends its tokens one by one.
  EXPECT_OK(ParseGenerate(FromText<v1::GenerateRequest>(text), env(), kFresh));
}

TEST_F(ParseTest, SwapTakesTheRecommendedAlphaOfItsCheckpoint) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseSwap(FromText<v1::SwapRequest>(
                    "prompt { text: 'abcd' } target { name: 'job' }"),
                env(), kFresh));
  EXPECT_THAT(ArmsOf(parsed), ElementsAre(v1::ARM_BASELINE, v1::ARM_STEERED));
  ASSERT_THAT(*parsed.spec.sequences[1].interventions, SizeIs(1));
  const Intervention& swap = (*parsed.spec.sequences[1].interventions)[0];
  EXPECT_EQ(swap.mode, InterventionMode::kSwap);
  EXPECT_EQ(swap.alpha, 1.25);
  EXPECT_THAT(swap.positions.prompt, ElementsAre(3));
}

TEST_F(ParseTest, SwapTakesAlphaOneOfACheckpointThatRecommendsAnotherMode) {
  auto catalog = std::make_shared<Catalog>(*catalog_);
  catalog->checkpoints[0].recommended_mode = InterventionMode::kAdd;
  catalog_ = catalog;
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseSwap(FromText<v1::SwapRequest>(
                    "prompt { text: 'abcd' } target { name: 'job' }"),
                env(), kFresh));
  EXPECT_EQ((*parsed.spec.sequences[1].interventions)[0].alpha, 1);
}

class BadSwapTest : public ParseTest,
                    public ::testing::WithParamInterface<Bad> {};

TEST_P(BadSwapTest, IsRefusedInTheRequestsOwnFieldNames) {
  EXPECT_THAT(ParseSwap(FromText<v1::SwapRequest>("prompt { text: 'abcd' } " +
                                                  GetParam().request),
                        env(), kFresh),
              StatusIs(GetParam().code, GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSwapTest,
    ::testing::Values(
        Bad{"NoTarget", "", kInvalid,
            "target: must name a concept or a slot, got none"},
        Bad{"UnknownTarget", "target { name: 'x' }", kNotFound,
            "target.name: must be a concept of checkpoint main, got \"x\""},
        Bad{"SourceIsTarget", "target { name: 'job' } source { slot: 1 }",
            kInvalid, "source: must differ from target, got slot 1 for both"},
        Bad{"NanAlpha", "target { name: 'job' } alpha: nan", kInvalid,
            "alpha: must be finite, got nan"},
        Bad{"OutsideThePrompt",
            "target { name: 'job' } positions { prompt: PROMPT_SELECTION_LIST "
            "positions: 4 }",
            kInvalid,
            "positions.positions[0]: must be in [-4, 3], got 4; the prompt has "
            "4 tokens"}),
    &NameOf);

}  // namespace
}  // namespace alignsae
