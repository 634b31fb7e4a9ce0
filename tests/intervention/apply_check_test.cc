// What CheckApplicable refuses, and that edits need no more of a checkpoint
// than it says.

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/intervention/apply.h"
#include "model/intervention/rules.h"
#include "tests/reference/sae_reference.h"
#include "tests/support/random_sae.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using Mode = InterventionMode;

constexpr int kCheckedWidth = 12;

// Concepts at 7, 0 and 19 of 20; the one at 19 was never calibrated, and free
// feature 5 is dead.
ReferenceSae Reference() {
  ReferenceSae sae =
      RandomReferenceSae({.d_model = kCheckedWidth, .scale = 2}, 3);
  sae.config.concepts[2].active_mean = 0;
  for (int d = 0; d < kCheckedWidth; ++d) sae.w_dec[5 * kCheckedWidth + d] = 0;
  return sae;
}

absl::StatusOr<Sae> ConceptsOf(const ReferenceSae& sae) {
  const std::string directory =
      absl::StrCat(::testing::TempDir(), "apply_check_concepts");
  ALIGNSAE_RETURN_IF_ERROR(SaveSae(directory, sae.config, WeightsOf(sae)));
  return Sae::Load(directory, Sae::LoadMode::kConceptsOnly);
}

struct Case {
  std::string name;
  bool whole = true;
  Intervention intervention;
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string error = "";

  friend std::ostream& operator<<(std::ostream& os, const Case& c) {
    return os << c.name;
  }
};

class CheckApplicableTest : public ::testing::TestWithParam<Case> {};

TEST_P(CheckApplicableTest, AnswersWithCodeAndSentence) {
  const Case& c = GetParam();
  const ReferenceSae reference = Reference();
  ASSERT_OK_AND_ASSIGN(const Sae sae,
                       c.whole ? Sae(SaeOf(reference)) : ConceptsOf(reference));
  EXPECT_THAT(CheckApplicable(sae, c.intervention), StatusIs(c.code, c.error));
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    Accepted, CheckApplicableTest,
    ::testing::Values(
        Case{"whole_swap", true, MakeIntervention(Mode::kSwap, 7)},
        Case{"whole_replace", true, MakeIntervention(Mode::kReplace, 7, 3)},
        Case{"whole_free_target", true, MakeIntervention(Mode::kMultiply, 3)},
        Case{"whole_free_set_raw", true,
             MakeIntervention(Mode::kSet, 3, {}, 2, AlphaUnit::kRaw)},
        Case{"concepts_swap", false, MakeIntervention(Mode::kSwap, 7, 0)},
        Case{"concepts_uncalibrated_source", false,
             MakeIntervention(Mode::kSwap, 7, 19)},
        Case{"concepts_uncalibrated_raw", false,
             MakeIntervention(Mode::kSet, 19, {}, 2, AlphaUnit::kRaw)},
        Case{"dead_feature_add", true, MakeIntervention(Mode::kAdd, 5)},
        Case{"concepts_project_out", false,
             MakeIntervention(Mode::kProjectOut, 19)},
        Case{"largest_alpha", true,
             MakeIntervention(Mode::kAdd, 7, {},
                              std::numeric_limits<double>::max())}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Refused, CheckApplicableTest,
    ::testing::Values(
        Case{"nan_alpha", true, MakeIntervention(Mode::kAdd, 7, {}, kNan),
             kInvalid, "alpha: must be finite, got nan"},
        Case{"infinite_alpha", true,
             MakeIntervention(Mode::kAblate, 7, {}, -kInfinity), kInvalid,
             "alpha: must be finite, got -inf"},
        Case{"target_too_large", true, MakeIntervention(Mode::kAdd, 20),
             absl::StatusCode::kNotFound,
             "target_slot: must be in [0, 19], got 20; the checkpoint has 20 "
             "slots"},
        Case{"target_negative", false, MakeIntervention(Mode::kAdd, -1),
             absl::StatusCode::kNotFound,
             "target_slot: must be in [0, 19], got -1; the checkpoint has 20 "
             "slots"},
        Case{"source_too_large", true, MakeIntervention(Mode::kSwap, 7, 99),
             absl::StatusCode::kNotFound,
             "source_slot: must be in [0, 19], got 99; the checkpoint has 20 "
             "slots"},
        Case{"same_slot", true, MakeIntervention(Mode::kSwap, 7, 7), kInvalid,
             "source_slot: must differ from target_slot, got 7 for both"},
        Case{"source_of_one_slot_mode", true,
             MakeIntervention(Mode::kSet, 7, 0), kInvalid,
             "source_slot: must be absent for SET, got 0"},
        Case{"replace_of_concepts", false,
             MakeIntervention(Mode::kReplace, 7, 0), kPrecondition,
             "mode: must be one that concept slots suffice for, got REPLACE; "
             "the checkpoint is loaded without its free features"},
        Case{"free_target_of_concepts", false,
             MakeIntervention(Mode::kAblate, 3), kPrecondition,
             "target_slot: must be a concept's slot, got 3; the checkpoint is "
             "loaded without its free features"},
        Case{"free_source_of_concepts", false,
             MakeIntervention(Mode::kSwap, 7, 3), kPrecondition,
             "source_slot: must be a concept's slot, got 3; the checkpoint is "
             "loaded without its free features"},
        Case{"uncalibrated_concept", false, MakeIntervention(Mode::kSwap, 19),
             kPrecondition,
             "target_slot: must have a calibrated mean for SWAP, got slot 19, "
             "which has none; give alpha in unit RAW"},
        Case{"uncalibrated_free_feature", true, MakeIntervention(Mode::kSet, 3),
             kPrecondition,
             "target_slot: must have a calibrated mean for SET, got slot 3, "
             "which has none; give alpha in unit RAW"},
        Case{"dead_feature_norm_matched", true,
             MakeIntervention(Mode::kAddNormMatched, 5), kInvalid,
             "target_slot: must have a direction of non-zero norm for "
             "ADD_NORM_MATCHED, got slot 5, whose norm is 0"}),
    [](const auto& test) { return test.param.name; });

TEST(CheckApplicableWithoutConceptsTest, DefaultSourceIsRefused) {
  const Sae sae = SaeOf(RandomReferenceSae({.slots = {}}, 1));
  EXPECT_THAT(
      CheckApplicable(sae,
                      MakeIntervention(Mode::kSwap, 3, {}, 1, AlphaUnit::kRaw)),
      StatusIs(kPrecondition,
               "source_slot: must be given, got none; the checkpoint has no "
               "concepts to take the top one of"));
  EXPECT_OK(CheckApplicable(
      sae, MakeIntervention(Mode::kSwap, 3, 4, 1, AlphaUnit::kRaw)));
}

// RPC threads ask, where no fence catches what LibTorch throws.
TEST(CheckApplicableTest, RunsNoOperationOfLibTorch) {
  static int operations = 0;
  const auto count =
      [](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> {
    ++operations;
    return nullptr;
  };
  const ReferenceSae reference = Reference();
  const Sae whole = SaeOf(reference);
  ASSERT_OK_AND_ASSIGN(const Sae concepts, ConceptsOf(reference));
  const at::CallbackHandle handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(count).scopes({at::RecordScope::FUNCTION}));
  for (const Sae* sae : {&whole, &concepts}) {
    for (Mode mode :
         {Mode::kAdd, Mode::kAddNormMatched, Mode::kSet, Mode::kMultiply,
          Mode::kAblate, Mode::kSwap, Mode::kReplace, Mode::kProjectOut}) {
      for (int slot = -1; slot <= 20; ++slot) {
        CheckApplicable(*sae, MakeIntervention(mode, slot)).IgnoreError();
        CheckApplicable(*sae, MakeIntervention(mode, slot, 3)).IgnoreError();
      }
    }
  }
  EXPECT_EQ(operations, 0);
  at::zeros({1});
  EXPECT_GT(operations, 0);  // It does count.
  at::removeCallback(handle);
}

TEST(ConceptOnlyEditTest, EqualsTheEditWithTheWholeSae) {
  const ReferenceSae reference = Reference();
  const Sae whole = SaeOf(reference);
  ASSERT_OK_AND_ASSIGN(const Sae concepts, ConceptsOf(reference));
  const Intervention interventions[] = {
      MakeIntervention(Mode::kAdd, 7, {}, 2),
      MakeIntervention(Mode::kAddNormMatched, 0, {}, 0.5),
      MakeIntervention(Mode::kSet, 7, {}, 1.5),
      MakeIntervention(Mode::kMultiply, 19, {}, 3),
      MakeIntervention(Mode::kAblate, 7),
      MakeIntervention(Mode::kSwap, 0),
      MakeIntervention(Mode::kSwap, 7, 19, -1, {}),
  };
  const at::Tensor before =
      FloatTensor(RandomResidual(4 * kCheckedWidth, 6, 1), {4, kCheckedWidth});
  for (const Intervention& intervention : interventions) {
    at::Tensor residuals[] = {before.clone(), before.clone()};
    InterventionReceipt receipts[2];
    const Sae* saes[] = {&whole, &concepts};
    for (int i = 0; i < 2; ++i) {
      ASSERT_OK(CheckApplicable(*saes[i], intervention));
      std::vector<ResidualEdit> edits;
      for (int n = 0; n < 4; ++n) {
        edits.push_back({.row = n,
                         .position = n,
                         .sae = saes[i],
                         .intervention = &intervention,
                         .receipt = &receipts[i]});
      }
      ApplyEdits(edits, residuals[i]);
    }
    EXPECT_TRUE(at::allclose(residuals[0], residuals[1], 0, 1e-6))
        << InterventionModeName(intervention.mode);
    for (int n = 0; n < 4; ++n) {
      EXPECT_EQ(receipts[0].effects[n].source_slot,
                receipts[1].effects[n].source_slot);
      EXPECT_NEAR(receipts[0].effects[n].target_after,
                  receipts[1].effects[n].target_after, 1e-5);
    }
  }
}

}  // namespace
}  // namespace alignsae
