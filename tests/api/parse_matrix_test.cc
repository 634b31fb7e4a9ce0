// SwapMatrix and FindAlpha: the sequences that a request makes and, word for
// word, what is refused.

#include "server/api/parse_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "model/base/field_error.h"
#include "server/api/parse_find_alpha.h"
#include "server/api/parse_sequence.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kFour[] = "prompt { text: 'abcd' } ";

TEST_F(ParseTest, AMatrixIsABaselineAndEveryOrderedPair) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedMatrix parsed,
      ParseSwapMatrix(
          FromText<v1::SwapMatrixRequest>(
              std::string(kFour) +
              "checkpoint: 'whole' concepts { name: 'job' } concepts { slot: 5 "
              "} concepts { slot: 0 } generation { max_new_tokens: 5 seed: 3 } "
              "targets { key: 'city' value: 'Paris' }"),
          env(), 77));
  EXPECT_EQ(parsed.asked.seed, 3u);
  EXPECT_EQ(parsed.asked.checkpoint, 1);
  EXPECT_EQ(parsed.spec.grouping, Grouping::kAsManyAsFit);
  ASSERT_THAT(parsed.swapped, SizeIs(3));
  EXPECT_FALSE(parsed.swapped[0].answer.has_value());
  EXPECT_EQ(parsed.swapped[2].answer, "Paris");
  ASSERT_THAT(parsed.spec.sequences, SizeIs(7));
  EXPECT_THAT(*parsed.spec.sequences[0].interventions, IsEmpty());
  const int slots[] = {1, 5, 0};
  for (int i = 1; i < 7; ++i) {
    const MatrixPlace place = parsed.cells[i];
    EXPECT_EQ(place.source, (i - 1) / 2);
    EXPECT_NE(place.source, place.target);
    const SequenceSpec& sequence = parsed.spec.sequences[i];
    EXPECT_EQ(sequence.prompt, parsed.spec.sequences[0].prompt);
    EXPECT_EQ(sequence.sampling.seed, 3u);
    ASSERT_THAT(*sequence.interventions, SizeIs(1));
    const Intervention& edit = sequence.interventions->front();
    EXPECT_EQ(edit.mode, InterventionMode::kSwap);
    EXPECT_EQ(edit.checkpoint, 1);
    EXPECT_EQ(edit.source_slot, slots[place.source]);
    EXPECT_EQ(edit.target_slot, slots[place.target]);
    EXPECT_EQ(edit.alpha, 1.25);  // The checkpoint's recommendation.
    EXPECT_THAT(edit.positions.prompt, ElementsAre(3));
  }
}

TEST_F(ParseTest, AMatrixWithoutConceptsIsOfAll) {
  ASSERT_OK_AND_ASSIGN(const ParsedMatrix parsed,
                       ParseSwapMatrix(FromText<v1::SwapMatrixRequest>(
                                           std::string(kFour) + "alpha: 3"),
                                       env(), 77));
  EXPECT_EQ(parsed.asked.seed, 77u);
  ASSERT_THAT(parsed.spec.sequences, SizeIs(3));
  EXPECT_EQ(parsed.spec.sequences[1].interventions->front().alpha, 3);
}

TEST_F(ParseTest, WhatAMatrixsPairCannotRunIsToldUnderItsPlace) {
  applicable_ = FieldStatus({"source_slot", "be free", "slot 0"},
                            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(ParseSwapMatrix(FromText<v1::SwapMatrixRequest>(kFour), env(), 7),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "concepts: must be free, got slot 0"));
}

TEST_F(ParseTest, ASearchHasItsRangeItsGoalAndOneIntervention) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedFindAlpha parsed,
      ParseFindAlpha(
          FromText<v1::FindAlphaRequest>(
              std::string(kFour) +
              "target { name: 'job' } source { slot: 0 } min_alpha: 0.5 "
              "max_alpha: 8 precision: 1.5 max_tries: 12 goal { answer: 'x' } "
              "generation { max_new_tokens: 4 }"),
          env(), 77));
  EXPECT_EQ(parsed.search.low, 0.5);
  EXPECT_EQ(parsed.search.high, 8);
  EXPECT_EQ(parsed.search.precision, 1.5);
  EXPECT_EQ(parsed.search.max_tries, 12);
  EXPECT_EQ(std::get<std::string>(parsed.goal), "x");
  EXPECT_EQ(parsed.intervention.mode, InterventionMode::kSwap);
  EXPECT_EQ(parsed.intervention.target_slot, 1);
  EXPECT_EQ(parsed.intervention.source_slot, 0);
  EXPECT_EQ(parsed.sequence.max_new_tokens, 4);
  EXPECT_EQ(parsed.sequence.reading_checkpoint, 0);
  ASSERT_OK_AND_ASSIGN(
      const ParsedFindAlpha defaults,
      ParseFindAlpha(FromText<v1::FindAlphaRequest>(
                         std::string(kFour) +
                         "target { slot: 1 } mode: INTERVENTION_MODE_ADD goal "
                         "{ first_token: 7 }"),
                     env(), 77));
  EXPECT_EQ(defaults.search.low, 0.0625);
  EXPECT_EQ(defaults.search.high, 16);
  EXPECT_EQ(defaults.search.max_tries, 32);
  EXPECT_EQ(std::get<int32_t>(defaults.goal), 7);
  EXPECT_EQ(defaults.intervention.mode, InterventionMode::kAdd);
}

TEST_F(ParseTest, ATryThatIsHeldToAKlHasItsFollowerRightBehindIt) {
  const std::string request =
      kFour +
      std::string("target { name: 'job' } goal { answer: 'x' } guard { ");
  ASSERT_OK_AND_ASSIGN(
      ParsedFindAlpha compared,
      ParseFindAlpha(FromText<v1::FindAlphaRequest>(
                         request + "max_kl: 0.5 max_norm_ratio: 2 }"),
                     env(), 77));
  RequestSpec spec;
  AddVariant(compared.sequence, v1::ARM_BASELINE, {}, spec, compared.asked);
  AddTry(1, compared, spec);
  AddTry(2, compared, spec);
  EXPECT_THAT(compared.asked.arms, SizeIs(3));
  ASSERT_THAT(spec.sequences, SizeIs(5));
  for (int leader : {1, 3}) {
    EXPECT_EQ(spec.sequences[leader].guard.kl, 0.5);
    EXPECT_EQ(spec.sequences[leader].guard.norm_ratio, 2);
    EXPECT_FALSE(spec.sequences[leader].follows.has_value());
    EXPECT_EQ(spec.sequences[leader + 1].follows, leader);
    EXPECT_THAT(*spec.sequences[leader + 1].interventions, IsEmpty());
  }
  EXPECT_EQ(spec.sequences[3].interventions->front().alpha, 2);
  ASSERT_OK_AND_ASSIGN(ParsedFindAlpha alone,
                       ParseFindAlpha(FromText<v1::FindAlphaRequest>(
                                          request + "max_norm_ratio: 2 }"),
                                      env(), 77));
  RequestSpec without;
  AddTry(1, alone, without);
  EXPECT_THAT(without.sequences, SizeIs(1));
}

class BadMatrixTest : public ParseTest,
                      public ::testing::WithParamInterface<Bad> {};

TEST_P(BadMatrixTest, IsRefused) {
  limits_.max_sweep_cells = 5;
  EXPECT_THAT(ParseSwapMatrix(
                  FromText<v1::SwapMatrixRequest>(kFour + GetParam().request),
                  env(), 77),
              StatusIs(GetParam().code, GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    , BadMatrixTest,
    ::testing::Values(
        Bad{"OneConcept", "concepts { slot: 1 }", kInvalid,
            "concepts: must be at least two, got 1"},
        Bad{"TooManyPairs",
            "concepts { slot: 1 } concepts { slot: 0 } concepts { slot: 2 }",
            kInvalid, "concepts: must make at most 5 pairs, got 3 x 2"},
        Bad{"Twice", "concepts { slot: 1 } concepts { name: 'job' }", kInvalid,
            "concepts[1]: must differ from those before it, got slot 1"},
        Bad{"Unknown", "concepts { slot: 1 } concepts { name: 'spouse' }",
            kNotFound,
            "concepts[1].name: must be a concept of checkpoint main, got "
            "\"spouse\""},
        Bad{"NanAlpha", "alpha: nan", kInvalid,
            "alpha: must be finite, got nan"},
        Bad{"Trace", "generation { concept_trace: true }", kInvalid,
            "generation.concept_trace: must be off, got on"},
        Bad{"Setting", "generation { top_p: 1.5 }", kInvalid,
            "generation.top_p: must be in (0, 1], got 1.5"},
        Bad{"OutsideThePrompt",
            "positions { prompt: PROMPT_SELECTION_LIST positions: 9 }",
            kInvalid,
            "positions.positions[0]: must be in [-4, 3], got 9; the prompt has "
            "4 tokens"},
        Bad{"AnswerOfNone", "targets { key: 'spouse' value: 'x' }", kNotFound,
            "targets: must name concepts that are swapped, got \"spouse\""},
        Bad{"EmptyAnswer", "targets { key: 'job' value: ' ' }", kInvalid,
            "targets[\"job\"]: must not be empty, got \" \""},
        Bad{"UnknownCheckpoint", "checkpoint: 'x'", kNotFound,
            "checkpoint: must be one of main, whole, got \"x\""}),
    NameOf);

class BadSearchTest : public ParseTest,
                      public ::testing::WithParamInterface<Bad> {};

TEST_P(BadSearchTest, IsRefused) {
  EXPECT_THAT(
      ParseFindAlpha(FromText<v1::FindAlphaRequest>(kFour + GetParam().request),
                     env(), 77),
      StatusIs(GetParam().code, GetParam().sentence));
}

constexpr char kJob[] = "target { name: 'job' } goal { answer: 'x' } ";

INSTANTIATE_TEST_SUITE_P(
    , BadSearchTest,
    ::testing::Values(
        Bad{"NoGoal", "target { name: 'job' }", kInvalid,
            "goal: must name an answer, a first token or target_on_top, got "
            "none"},
        Bad{"EmptyAnswer", "target { name: 'job' } goal { answer: '' }",
            kInvalid, "goal.answer: must not be empty, got \"\""},
        Bad{"NoToken", "target { name: 'job' } goal { first_token: 260 }",
            kInvalid, "goal.first_token: must be in [0, 259], got 260"},
        Bad{"NoTarget", "goal { answer: 'x' }", kInvalid,
            "target: must name a concept or a slot, got none"},
        Bad{"Zero", std::string(kJob) + "min_alpha: 0", kInvalid,
            "min_alpha: must be finite and above 0, got 0"},
        Bad{"Reversed", std::string(kJob) + "min_alpha: 2 max_alpha: 2",
            kInvalid,
            "max_alpha: must be above min_alpha, which is 2, and at most 10^6 "
            "times it, got 2"},
        Bad{"TooWide", std::string(kJob) + "min_alpha: 0.00001", kInvalid,
            "max_alpha: must be above min_alpha, which is 1e-05, and at most "
            "10^6 times it, got 16"},
        Bad{"NanAlpha", std::string(kJob) + "max_alpha: nan", kInvalid,
            "max_alpha: must be above min_alpha, which is 0.0625, and at most "
            "10^6 times it, got nan"},
        Bad{"Precision", std::string(kJob) + "precision: 1", kInvalid,
            "precision: must be in [1.001, 2], got 1"},
        Bad{"OneTry", std::string(kJob) + "max_tries: 1", kInvalid,
            "max_tries: must be in [2, 128], got 1"},
        Bad{"ManyTries", std::string(kJob) + "max_tries: 129", kInvalid,
            "max_tries: must be in [2, 128], got 129"},
        Bad{"Ablate", std::string(kJob) + "mode: INTERVENTION_MODE_ABLATE",
            kInvalid, "mode: must be one that has an alpha, got ABLATE"},
        Bad{"SourceIsTheTarget", std::string(kJob) + "source { slot: 1 }",
            kInvalid, "source: must differ from target, got slot 1 for both"},
        Bad{"Trace", std::string(kJob) + "generation { concept_trace: true }",
            kInvalid, "generation.concept_trace: must be off, got on"}),
    NameOf);

}  // namespace
}  // namespace alignsae
