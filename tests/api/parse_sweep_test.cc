// SweepAlpha: the cells that a request makes and, word for word, what is
// refused.

#include "server/api/parse_sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "model/base/field_error.h"
#include "model/base/status_payload.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kPrompt[] = "prompt { text: 'abcd' } ";
constexpr char kTargets[] = "targets { name: 'city' } targets { slot: 1 } ";

TEST_F(ParseTest, ASweepIsABaselineAndEveryTargetAtEveryAlpha) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedSweep parsed,
      ParseSweepAlpha(FromText<v1::SweepAlphaRequest>(
                          std::string(kPrompt) + kTargets +
                          "alphas: [0, 0.5, 2] generation { max_new_tokens: 5 "
                          "seed: 3 }"),
                      env(), 77));
  EXPECT_EQ(parsed.asked.seed, 3u);
  EXPECT_EQ(parsed.spec.grouping, Grouping::kAsManyAsFit);
  ASSERT_THAT(parsed.spec.sequences, SizeIs(7));
  ASSERT_THAT(parsed.cells, SizeIs(7));
  EXPECT_THAT(*parsed.spec.sequences[0].interventions, IsEmpty());
  EXPECT_EQ(parsed.cells[0].target, -1);
  const double alphas[] = {0, 0.5, 2};
  for (int i = 0; i < 6; ++i) {
    const SequenceSpec& sequence = parsed.spec.sequences[1 + i];
    EXPECT_EQ(sequence.prompt, parsed.spec.sequences[0].prompt);
    EXPECT_EQ(sequence.max_new_tokens, 5);
    EXPECT_EQ(sequence.sampling.seed, 3u);
    ASSERT_THAT(*sequence.interventions, SizeIs(1));
    const Intervention& edit = sequence.interventions->front();
    EXPECT_EQ(edit.mode, InterventionMode::kSwap);
    EXPECT_EQ(edit.target_slot, i / 3);
    EXPECT_FALSE(edit.source_slot.has_value());
    EXPECT_EQ(edit.alpha, alphas[i % 3]);
    EXPECT_THAT(edit.positions.prompt, testing::ElementsAre(3));
    EXPECT_EQ(parsed.cells[1 + i].target, i / 3);
    EXPECT_EQ(parsed.cells[1 + i].alpha, i % 3);
  }
}

TEST_F(ParseTest, ASweepTakesModeSourceUnitAndPositions) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedSweep parsed,
      ParseSweepAlpha(FromText<v1::SweepAlphaRequest>(
                          std::string(kPrompt) +
                          "targets { slot: 1 } alphas: 4 checkpoint: 'whole' "
                          "mode: INTERVENTION_MODE_REPLACE source { slot: 0 } "
                          "unit: ALPHA_UNIT_RAW positions { prompt: "
                          "PROMPT_SELECTION_ALL generated: true }"),
                      env(), 77));
  EXPECT_EQ(parsed.asked.seed, 77u);
  EXPECT_EQ(parsed.asked.checkpoint, 1);
  const Intervention& edit = parsed.spec.sequences[1].interventions->front();
  EXPECT_EQ(edit.mode, InterventionMode::kReplace);
  EXPECT_EQ(edit.checkpoint, 1);
  EXPECT_EQ(edit.source_slot, 0);
  EXPECT_EQ(edit.unit, AlphaUnit::kRaw);
  EXPECT_THAT(edit.positions.prompt, SizeIs(4));
  EXPECT_TRUE(edit.positions.generated);
}

TEST_F(ParseTest, WhatTheCheckpointCannotRunIsToldUnderTheTargetsPlace) {
  applicable_ = WithRetryAfter(
      WithReason(FieldStatus({"target_slot", "be free", "slot 0"},
                             absl::StatusCode::kFailedPrecondition),
                 "BUSY"),
      absl::Seconds(2));
  const absl::Status told =
      ParseSweepAlpha(FromText<v1::SweepAlphaRequest>(std::string(kPrompt) +
                                                      kTargets + "alphas: 1"),
                      env(), 77)
          .status();
  EXPECT_THAT(told, StatusIs(absl::StatusCode::kFailedPrecondition,
                             "targets[0]: must be free, got slot 0"));
  EXPECT_EQ(ReasonOf(told), "BUSY");
  EXPECT_EQ(RetryAfterOf(told), absl::Seconds(2));
}

class BadSweepTest : public ParseTest,
                     public ::testing::WithParamInterface<Bad> {};

TEST_P(BadSweepTest, IsRefused) {
  limits_.max_sweep_cells = 5;
  EXPECT_THAT(ParseSweepAlpha(
                  FromText<v1::SweepAlphaRequest>(kPrompt + GetParam().request),
                  env(), 77),
              StatusIs(GetParam().code, GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    , BadSweepTest,
    ::testing::Values(
        Bad{"NoTargets", "alphas: 1", kInvalid,
            "targets: must name at least one concept, got none"},
        Bad{"NoAlphas", kTargets, kInvalid,
            "alphas: must hold at least one value, got none"},
        Bad{"TooManyCells", std::string(kTargets) + "alphas: [1, 2, 3]",
            kInvalid,
            "targets and alphas: must make at most 5 cells, got 2 x 3"},
        Bad{"NanAlpha", "targets { slot: 1 } alphas: [1, nan]", kInvalid,
            "alphas[1]: must be finite, got nan"},
        Bad{"AlphaTwice", "targets { slot: 1 } alphas: [1, 2, 1]", kInvalid,
            "alphas[2]: must differ from those before it, got 1"},
        Bad{"TargetTwice",
            "targets { slot: 1 } targets { name: 'job' } alphas: 1", kInvalid,
            "targets[1]: must differ from those before it, got slot 1"},
        Bad{"UnknownTarget",
            "targets { slot: 1 } targets { name: 'spouse' } alphas: 1",
            kNotFound,
            "targets[1].name: must be a concept of checkpoint main, got "
            "\"spouse\""},
        Bad{"EmptyTarget", "targets {} alphas: 1", kInvalid,
            "targets[0]: must name a concept or a slot, got none"},
        Bad{"SourceIsATarget",
            "targets { slot: 1 } source { slot: 1 } "
            "alphas: 1",
            kInvalid, "source: must differ from target, got slot 1 for both"},
        Bad{"SourceOfAdd",
            "targets { slot: 1 } source { slot: 0 } alphas: 1 mode: "
            "INTERVENTION_MODE_ADD",
            kInvalid, "source: must be absent for ADD"},
        Bad{"Ablate",
            "targets { slot: 1 } alphas: 1 mode: INTERVENTION_MODE_ABLATE",
            kInvalid, "mode: must be one that has an alpha, got ABLATE"},
        Bad{"UnknownMode", "targets { slot: 1 } alphas: 1 mode: 99", kInvalid,
            "mode: must be one of ADD, ADD_NORM_MATCHED, SET, MULTIPLY, "
            "ABLATE, SWAP, REPLACE, PROJECT_OUT, got 99"},
        Bad{"UnknownUnit", "targets { slot: 1 } alphas: 1 unit: 7", kInvalid,
            "unit: must be ACTIVE_MEAN or RAW, got 7"},
        Bad{"Setting",
            "targets { slot: 1 } alphas: 1 generation { top_p: 1.5 }", kInvalid,
            "generation.top_p: must be in (0, 1], got 1.5"},
        Bad{"OutsideThePrompt",
            "targets { slot: 1 } alphas: 1 positions { prompt: "
            "PROMPT_SELECTION_LIST positions: 9 }",
            kInvalid,
            "positions.positions[0]: must be in [-4, 3], got 9; the prompt has "
            "4 tokens"},
        Bad{"Trace",
            "targets { slot: 1 } alphas: 1 generation { concept_trace: true }",
            kInvalid, "generation.concept_trace: must be off, got on"},
        Bad{"UnknownCheckpoint",
            "targets { slot: 1 } alphas: 1 checkpoint: 'x'", kNotFound,
            "checkpoint: must be one of main, whole, got \"x\""}),
    NameOf);

}  // namespace
}  // namespace alignsae
