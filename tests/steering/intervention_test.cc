#include "model/steering/intervention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "model/steering/catalog.h"
#include "tests/support/status_matchers.h"

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

class CheckVectorTest : public ::testing::Test {
 protected:
  CheckVectorTest() {
    model_.n_layer = 4;
    model_.d_model = 3;
  }
  absl::Status Check(HookPoint hook, std::vector<float> values,
                     InterventionMode mode = InterventionMode::kAdd) const {
    Intervention edit;
    edit.mode = mode;
    edit.vector = std::make_shared<const SteeringVector>(
        SteeringVector{hook, std::move(values)});
    return CheckVector(edit, model_);
  }
  ModelInfo model_;
};

TEST_F(CheckVectorTest, TakesWhatTheModelHasAndTheModesThatNeedNoSlot) {
  for (HookKind kind : kHookKinds) {
    for (int layer : {0, 3}) {
      EXPECT_OK(Check({kind, layer}, {0, -1e38f, 0}));
    }
  }
  for (InterventionMode mode : kInterventionModes) {
    const absl::Status status = Check({HookKind::kMlpOut, 1}, {1, 2, 3}, mode);
    if (TakesVector(mode)) {
      EXPECT_OK(status);
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                ::testing::StartsWith("mode: must be one of ADD, "
                                      "ADD_NORM_MATCHED, PROJECT_OUT with a "
                                      "vector, got "));
  }
}

TEST_F(CheckVectorTest, NamesWhatIsWrong) {
  const HookPoint hook = {HookKind::kResidPost, 1};
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(Check(hook, {1, 2}),
              StatusIs(kInvalid,
                       "vector.values: must hold d_model = 3 numbers, got 2"));
  EXPECT_THAT(Check(hook, {1, 2, 3, 4}),
              StatusIs(kInvalid,
                       "vector.values: must hold d_model = 3 numbers, got 4"));
  EXPECT_THAT(Check(hook, {1, std::numeric_limits<float>::infinity(), 3}),
              StatusIs(kInvalid, "vector.values[1]: must be finite, got inf"));
  EXPECT_THAT(Check(hook, {0, 0, -0.0f}),
              StatusIs(kInvalid,
                       "vector.values: must have a number other than 0, got "
                       "only zeros"));
  EXPECT_THAT(Check({HookKind::kResidPost, 4}, {1, 2, 3}),
              StatusIs(absl::StatusCode::kNotFound,
                       "vector.hook.layer: must be in [0, 3], got 4; the "
                       "model has 4 blocks"));
  EXPECT_THAT(Check({HookKind::kResidPre, -1}, {1, 2, 3}),
              StatusIs(absl::StatusCode::kNotFound,
                       "vector.hook.layer: must be in [0, 3], got -1; the "
                       "model has 4 blocks"));
}

TEST_F(CheckVectorTest, ModelsWithAParallelResidualHaveNoMiddle) {
  model_.parallel_residual = true;
  EXPECT_OK(Check({HookKind::kAttnOut, 1}, {1, 2, 3}));
  EXPECT_THAT(
      Check({HookKind::kResidMid, 1}, {1, 2, 3}),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               "vector.hook.kind: must be another than resid_mid, got "
               "it; the model's attention and MLP read the same input"));
}

}  // namespace
}  // namespace alignsae
