#include "model/train/pipeline/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/train/eval/baselines.h"
#include "model/train/pipeline/command.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(PipelineOptionsTest, LayersAreHookPointsOfTheModel) {
  EXPECT_THAT(ParseHooks("3, resid_mid[0]", 4),
              IsOkAndHolds(ElementsAre(HookPoint{HookKind::kResidPost, 3},
                                       HookPoint{HookKind::kResidMid, 0})));
  for (const char* text :
       {"4", "-1", "", "one", "1,", "resid_mid[4]", "resid_mid[0",
        "resid_mid[]", "resid_top[0]", "[0]", "resid_mid[0]]"}) {
    EXPECT_THAT(ParseHooks(text, 4),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("layers: must be in [0, 3] or a hook point "
                                   "such as resid_mid[0], got")))
        << text;
  }
  EXPECT_THAT(ParseHooks("1,resid_post[1]", 4),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must name each once")));
}

TEST(PipelineOptionsTest, BaselinesAreAllNoneOrNames) {
  EXPECT_THAT(ParseBaselines("all"), IsOkAndHolds(BaselineNames()));
  EXPECT_THAT(ParseBaselines("none"), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(ParseBaselines("without_val,class_means"),
              IsOkAndHolds(ElementsAre("without_val", "class_means")));
  EXPECT_THAT(ParseBaselines("magic"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("baselines: must be all, none or names of "
                                 "class_means, without_perp, without_val, "
                                 "without_stage1, stage1_features, got "
                                 "\"magic\"")));
}

TEST(PipelineCommandTest, NamesThePresetAndWhatDiffersFromIt) {
  TrainPreset preset = *FindPreset("tiny");
  EXPECT_EQ(PipelineCommand(preset, false, false),
            "alignsae-train pipeline --preset tiny");
  preset.data.seed = 9;
  preset.lm.epochs = 2;
  preset.sae.perp_form = "correlation";
  preset.eval.select_sample = 4;
  preset.pipeline.layers = "1";
  EXPECT_EQ(PipelineCommand(preset, true, false),
            "alignsae-train pipeline --preset tiny --data-seed 9 --lm-epochs 2 "
            "--sae-perp-form correlation --eval-select-sample 4 --layers 1 "
            "--init-from DIR");
}

}  // namespace
}  // namespace alignsae
