// Options: one list of fields gives JSON, range checks and flags.

#include "model/train/common/option_fields.h"

#include <gtest/gtest.h>

#include <limits>

#include "model/train/cli/cli.h"
#include "model/train/pipeline/presets.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

TEST(OptionFieldsTest, EveryPresetObeysItsOwnRules) {
  for (const std::string& name : PresetNames()) {
    const TrainPreset preset = *FindPreset(name);
    EXPECT_THAT(CheckFields(preset.data), IsOk()) << name;
    EXPECT_THAT(CheckFields(preset.lm), IsOk()) << name;
    EXPECT_THAT(CheckFields(preset.sae), IsOk()) << name;
    EXPECT_EQ(preset.lm.width % preset.lm.heads, 0) << name;
  }
  EXPECT_EQ(FindPreset("huge"), std::nullopt);
}

TEST(OptionFieldsTest, Gpt2SmallPresetHasThatShape) {
  const LmOptions lm = FindPreset("gpt2-small")->lm;
  EXPECT_EQ(lm.layers, 12);
  EXPECT_EQ(lm.heads, 12);
  EXPECT_EQ(lm.width, 768);
  EXPECT_EQ(lm.context, 1024);
}

TEST(OptionFieldsTest, NamesTheFieldThatBreaksItsRule) {
  LmOptions options;
  options.layers = 0;
  EXPECT_THAT(CheckFields(options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "layers: must be in [1, 96], got 0"));
  options = {};
  options.learning_rate = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(CheckFields(options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("learning_rate: must be in [0, 1], got nan")));
  SaeOptions sae;
  sae.activation = "tanh";
  EXPECT_THAT(CheckFields(sae),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("activation: must be one of identity, relu, "
                                 "topk, batchtopk, jumprelu, got \"tanh\"")));
}

TEST(OptionFieldsTest, JsonHoldsEveryFieldByName) {
  const auto json = FieldsToJson(LmOptions{});
  EXPECT_EQ(json["learning_rate"], 2e-3);
  EXPECT_EQ(json["warmup_steps"], 200);
  size_t fields = 0;
  LmOptions options;
  LmOptions::VisitFields(
      options, [&](const char*, auto&, const auto&, const char* help) {
        ++fields;
        EXPECT_STRNE(help, "");
      });
  EXPECT_EQ(json.size(), fields);
}

TEST(OptionFieldsTest, AFlagWinsOverThePresetWhereverItStands) {
  for (const char* line :
       {"--epochs 3 --preset tiny", "--preset tiny --epochs 3"}) {
    TrainPreset preset;
    CLI::App app;
    AddPresetFlag(app, preset);
    AddFieldFlags(app, preset.lm);
    app.parse(line);
    EXPECT_EQ(preset.lm.epochs, 3) << line;
    EXPECT_EQ(preset.lm.width, FindPreset("tiny")->lm.width) << line;
  }
}

TEST(OptionFieldsTest, WithoutAPresetFlagTheDemoIsMeant) {
  TrainPreset preset;
  CLI::App app;
  AddPresetFlag(app, preset);
  app.parse("");
  EXPECT_EQ(preset.name, "demo");
}

TEST(OptionFieldsTest, RefusesAnUnknownPresetAndAnUnknownFlag) {
  TrainPreset preset;
  CLI::App app;
  AddPresetFlag(app, preset);
  EXPECT_THROW(app.parse("--preset huge"), CLI::ValidationError);
  EXPECT_THROW(app.parse("--epoch 3"), CLI::ExtrasError);
}

}  // namespace
}  // namespace alignsae
