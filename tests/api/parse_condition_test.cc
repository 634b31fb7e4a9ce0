// Conditions of interventions and of answers: what they become and, word for
// word, what is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/api/parse_find_alpha.h"
#include "server/api/parse_generation.h"
#include "server/api/parse_matrix.h"
#include "server/api/parse_sweep.h"
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

TEST_F(ParseTest, EveryEditOfManyHasTheCondition) {
  const std::string when =
      "prompt { text: 'abcd' } when { slot { name: 'job' } above: 2 } ";
  ASSERT_OK_AND_ASSIGN(
      const ParsedSweep sweep,
      ParseSweepAlpha(FromText<v1::SweepAlphaRequest>(
                          when + "targets { slot: 0 } alphas: [1, 2]"),
                      env(), 1));
  ASSERT_OK_AND_ASSIGN(
      const ParsedMatrix matrix,
      ParseSwapMatrix(FromText<v1::SwapMatrixRequest>(when), env(), 1));
  for (const RequestSpec* spec : {&sweep.spec, &matrix.spec}) {
    ASSERT_THAT(spec->sequences, ::testing::SizeIs(3));
    EXPECT_THAT(*spec->sequences[0].interventions, ::testing::IsEmpty());
    for (int i : {1, 2}) {
      const Intervention& edit = spec->sequences[i].interventions->front();
      ASSERT_TRUE(edit.when.has_value());
      EXPECT_EQ(edit.when->column, 1);
      EXPECT_EQ(edit.when->above, 2);
    }
  }
  ASSERT_OK_AND_ASSIGN(
      const ParsedFindAlpha search,
      ParseFindAlpha(FromText<v1::FindAlphaRequest>(
                         when + "target { slot: 0 } goal { answer: 'x' }"),
                     env(), 1));
  EXPECT_EQ(TriedAt(3, search).interventions->front().when->above, 2);
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

// The same of every request that has one.
using ParseText = absl::Status (*)(const std::string&, const ParseEnv&);
template <typename Wire, auto kParse>
absl::Status StatusOfParsing(const std::string& text, const ParseEnv& env) {
  return kParse(FromText<Wire>(text), env, 1).status();
}
struct Conditional {
  std::string name;
  ParseText parse;
  std::string before;  // What stands before the condition, which is open yet.
  std::string after;
  std::string field;
};

const std::vector<Conditional>& Conditionals() {
  const std::string prompt = "prompt { text: 'abcd' } ";
  static const auto* const kAll = new std::vector<Conditional>{
      {"Intervention", &StatusOfParsing<v1::GenerateRequest, &ParseGenerate>,
       std::string(kJobEdit) + "when { ", " } }", "interventions[0].when"},
      {"Swap", &StatusOfParsing<v1::SwapRequest, &ParseSwap>,
       prompt + "target { slot: 0 } when { ", " }", "when"},
      {"Sweep", &StatusOfParsing<v1::SweepAlphaRequest, &ParseSweepAlpha>,
       prompt + "targets { slot: 0 } alphas: 1 when { ", " }", "when"},
      {"Matrix", &StatusOfParsing<v1::SwapMatrixRequest, &ParseSwapMatrix>,
       prompt + "when { ", " }", "when"},
      {"Search", &StatusOfParsing<v1::FindAlphaRequest, &ParseFindAlpha>,
       prompt + "target { slot: 0 } goal { answer: 'x' } when { ", " }",
       "when"},
      {"Abort", &StatusOfParsing<v1::GenerateRequest, &ParseGenerate>,
       prompt + "generation { abort_when { ", " } }", "generation.abort_when"}};
  return *kAll;
}

class ConditionalTest : public ParseTest,
                        public ::testing::WithParamInterface<Conditional> {
 protected:
  absl::Status Parsed(const std::string& condition) const {
    return GetParam().parse(GetParam().before + condition + GetParam().after,
                            env());
  }
};

TEST_P(ConditionalTest, AConditionIsTakenOrRefusedByOneRule) {
  EXPECT_OK(Parsed("slot { name: 'job' } bound: true"));
  for (const BadCondition& bad : BadConditions()) {
    EXPECT_THAT(Parsed(bad.condition),
                StatusIs(bad.code, GetParam().field + bad.sentence))
        << bad.name;
  }
}

INSTANTIATE_TEST_SUITE_P(, ConditionalTest, ::testing::ValuesIn(Conditionals()),
                         [](const auto& each) { return each.param.name; });

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
