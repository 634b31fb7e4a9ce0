// Conditions of interventions and of answers: what they become and, word for
// word, what is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/api/parse_generation.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

constexpr char kJobEdit[] =
    "prompt { text: 'abcd' } interventions { mode: INTERVENTION_MODE_ADD "
    "target { slot: 0 } ";

TEST_F(ParseTest, AConditionIsOfAConceptByNameOrSlot) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseGenerate(FromText<v1::GenerateRequest>(
                        std::string(kJobEdit) +
                        "checkpoint: 'whole' when { slot { name: 'job' } "
                        "bound: false above: 0 } } generation { abort_when { "
                        "slot { slot: 1 } above: -1.5 } }"),
                    env(), 1));
  const SequenceSpec& sequence = parsed.spec.sequences[0];
  const ReadingCondition& when = *sequence.interventions->front().when;
  EXPECT_EQ(when.checkpoint, 1);
  EXPECT_EQ(when.column, 1);
  EXPECT_EQ(when.bound, false);
  EXPECT_EQ(when.above, 0);
  EXPECT_EQ(sequence.abort_when->checkpoint, 0);
  EXPECT_EQ(sequence.abort_when->column, 1);
  EXPECT_EQ(sequence.abort_when->bound, std::nullopt);
  EXPECT_EQ(sequence.abort_when->above, -1.5);
}

TEST_F(ParseTest, ASwapHasACondition) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseSwap(FromText<v1::SwapRequest>(
                    "prompt { text: 'abcd' } target { slot: 0 } when { slot { "
                    "name: 'job' } bound: true }"),
                env(), 1));
  EXPECT_FALSE(parsed.spec.sequences[1].abort_when.has_value());
  EXPECT_EQ(parsed.spec.sequences[1].interventions->front().when->bound, true);
}

// The second checkpoint reads resid_post[2], the first resid_post[1].
TEST_F(ParseTest, BesideAVectorTheRequestsCheckpointReads) {
  const std::string vector =
      "prompt { text: 'abcd' } checkpoint: 'whole' interventions { mode: "
      "INTERVENTION_MODE_ADD vector { values: [1, 0, 0, 0, 0, 0, 0, 0] hook { "
      "kind: HOOK_KIND_RESID_PRE layer: ";
  const std::string when = " } } when { slot { slot: 1 } above: 1 } }";
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseGenerate(FromText<v1::GenerateRequest>(vector + "3" + when), env(),
                    1));
  EXPECT_EQ(parsed.spec.sequences[0].interventions->front().when->checkpoint,
            1);
  EXPECT_THAT(
      ParseGenerate(FromText<v1::GenerateRequest>(vector + "2" + when), env(),
                    1),
      StatusIs(kInvalid,
               "interventions[0].when: must be of a checkpoint that reads at "
               "resid_pre[2], where the vector is, got resid_post[2]"));
}

class BadConditionTest : public ParseTest,
                         public ::testing::WithParamInterface<Bad> {};

TEST_P(BadConditionTest, IsRefused) {
  EXPECT_THAT(ParseGenerate(FromText<v1::GenerateRequest>(GetParam().request),
                            env(), 1),
              StatusIs(GetParam().code, GetParam().sentence));
}

std::string When(const std::string& condition) {
  return std::string(kJobEdit) + "when { " + condition + " } }";
}

INSTANTIATE_TEST_SUITE_P(
    , BadConditionTest,
    ::testing::Values(
        Bad{"Nothing", When("slot { slot: 1 }"), kInvalid,
            "interventions[0].when: must ask for bound or above, got neither"},
        Bad{"NoSlot", When("bound: true"), kInvalid,
            "interventions[0].when.slot: must name a concept or a slot, got "
            "none"},
        Bad{"Unknown", When("slot { name: 'spouse' } bound: true"), kNotFound,
            "interventions[0].when.slot.name: must be a concept of checkpoint "
            "main, got \"spouse\""},
        Bad{"NoConcept", When("slot { slot: 7 } bound: true"), kNotFound,
            "interventions[0].when.slot: must be a concept's: readings have no "
            "others, got slot 7"},
        Bad{"Nan", When("slot { slot: 1 } above: nan"), kInvalid,
            "interventions[0].when.above: must be finite, got nan"},
        Bad{"Abort",
            "prompt { text: 'a' } generation { abort_when { slot { slot: 1 } } "
            "}",
            kInvalid,
            "generation.abort_when: must ask for bound or above, got neither"}),
    NameOf);

TEST_F(ParseTest, WithoutACheckpointThereIsNoCondition) {
  auto none = std::make_shared<Catalog>(*catalog_);
  none->checkpoints.clear();
  catalog_ = none;
  EXPECT_THAT(
      ParseGenerate(FromText<v1::GenerateRequest>(
                        "prompt { text: 'a' } generation { abort_when { slot { "
                        "slot: 1 } bound: true } }"),
                    env(), 1),
      StatusIs(kPrecondition,
               "generation.abort_when: must be absent without a checkpoint"));
}

}  // namespace
}  // namespace alignsae
