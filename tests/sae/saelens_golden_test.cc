// SAEs that sae-lens wrote compute what it computed: see
// tests/golden/make_saelens_golden.py, which writes the files. And back: what
// is exported computes what the checkpoint does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "model/sae/saelens.h"
#include "model/sae/saelens_export.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
constexpr int64_t kRows = 9, kWidth = 24, kFeatures = 40;
constexpr double kTolerance = 1e-4;

std::string Golden(const std::string& name) {
  return absl::StrCat(ALIGNSAE_SOURCE_DIR, "/tests/golden/saelens/", name);
}

double Difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}

// Random weights, two concepts and a scale.
Sae OwnSae(SaeActivation activation) {
  at::manual_seed(3);
  SaeConfig config;
  config.d_model = kWidth;
  config.n_features = kFeatures;
  config.hook = {HookKind::kResidPost, 2};
  config.activation = activation;
  config.k = activation == SaeActivation::kTopK ? 3 : 0;
  config.scale = 2.5;
  config.concepts = {
      {.name = "city", .slot = 5, .description = "", .example = ""},
      {.name = "major", .slot = 0, .description = "", .example = ""}};
  SaeWeights weights = {.w_enc = at::randn({kWidth, kFeatures}),
                        .b_enc = at::randn({kFeatures}),
                        .w_dec = at::randn({kFeatures, kWidth}),
                        .b_dec = at::randn({kWidth}),
                        .threshold = {}};
  if (activation == SaeActivation::kJumpRelu) {
    weights.threshold = at::full({kFeatures}, 0.7);
  }
  return Sae::FromWeights(config, weights).value();
}

class SaeLensGoldenTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string path = Golden(GetParam()) + "/expected.safetensors";
    ASSERT_OK_AND_ASSIGN(const SafetensorsFile file,
                         SafetensorsFile::Open(path));
    ASSERT_OK_AND_ASSIGN(h_, ReadFloatTensor(file, "h", {kRows, kWidth}));
    ASSERT_OK_AND_ASSIGN(z_, ReadFloatTensor(file, "z", {kRows, kFeatures}));
    ASSERT_OK_AND_ASSIGN(
        reconstruction_,
        ReadFloatTensor(file, "reconstruction", {kRows, kWidth}));
  }
  // A copy of the checkpoint with labels of `features`.
  std::string Labelled(const std::vector<int>& features) {
    const std::string copy =
        absl::StrCat(::testing::TempDir(), "/saelens.", GetParam());
    std::filesystem::remove_all(copy);
    std::filesystem::copy(Golden(GetParam()), copy);
    std::string lines;
    for (const int feature : features) {
      absl::StrAppend(&lines, "{\"feature\":", feature, ",\"name\":\"f",
                      feature, "\"}\n");
    }
    EXPECT_OK(WriteFileAtomically(copy + "/labels.jsonl", lines));
    return copy;
  }

  at::Tensor h_, z_, reconstruction_;
};

TEST_P(SaeLensGoldenTest, ComputesWhatSaeLensComputed) {
  ASSERT_OK_AND_ASSIGN(const Sae sae, Sae::Load(Golden(GetParam()),
                                                Sae::LoadMode::kConceptsOnly));
  ASSERT_TRUE(sae.whole());  // There are no concepts to load alone.
  EXPECT_EQ(sae.config().folding, SaeFolding());
  EXPECT_LT(Difference(sae.Encode(h_), z_), kTolerance);
  EXPECT_LT(Difference(sae.Decode(sae.Encode(h_)), reconstruction_),
            kTolerance);
  const at::Tensor slots = at::arange(kFeatures).expand({kRows, kFeatures});
  EXPECT_LT(Difference(sae.SlotValues(h_, slots), z_), kTolerance);
}

// A name does not change what a feature is, however much of the file is loaded.
TEST_P(SaeLensGoldenTest, LabelsChangeNoValue) {
  const std::vector<int> features = {39, 0, 17};
  const std::string directory = Labelled(features);
  const at::Tensor expected = z_.index_select(1, at::tensor({39, 0, 17}));
  for (const auto mode :
       {Sae::LoadMode::kConceptsOnly, Sae::LoadMode::kWhole}) {
    const absl::StatusOr<Sae> sae = Sae::Load(directory, mode);
    if (GetParam().find("topk") == 0 || GetParam() == "flat_topk") {
      EXPECT_THAT(sae, StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("features with labels")));
      continue;
    }
    ASSERT_OK(sae);
    EXPECT_EQ(sae->whole(), mode == Sae::LoadMode::kWhole);
    EXPECT_EQ(sae->config().concepts[1].name, "f0");
    EXPECT_LT(Difference(sae->ConceptActivate(sae->ConceptPre(h_)), expected),
              kTolerance);
    if (sae->whole()) {
      EXPECT_LT(Difference(sae->Encode(h_), z_), kTolerance);
    }
  }
}

TEST_P(SaeLensGoldenTest, IsTheSameExportedAndReadBack) {
  ASSERT_OK_AND_ASSIGN(const Sae sae,
                       Sae::Load(Golden(GetParam()), Sae::LoadMode::kWhole));
  const std::string out =
      absl::StrCat(::testing::TempDir(), "/saelens.out.", GetParam());
  ASSERT_OK(ExportToSaeLens(sae, out));
  ASSERT_OK_AND_ASSIGN(const Sae back, Sae::Load(out, Sae::LoadMode::kWhole));
  EXPECT_LT(Difference(back.Encode(h_), z_), kTolerance);
  EXPECT_LT(Difference(back.Decode(z_), reconstruction_), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(All, SaeLensGoldenTest,
                         ::testing::Values("standard", "standard_no_b_dec",
                                           "topk", "topk_rescaled", "jumprelu",
                                           "batchtopk", "flat", "flat_topk",
                                           "centered"));

TEST(SaeLensExportTest, FoldsTheScaleAndKeepsNamesAndValues) {
  const Sae relu = OwnSae(SaeActivation::kRelu);
  const std::string out = ::testing::TempDir() + "/saelens.export";
  ASSERT_OK(ExportToSaeLens(relu, out));
  ASSERT_OK_AND_ASSIGN(const Sae back, Sae::Load(out, Sae::LoadMode::kWhole));
  EXPECT_EQ(back.config().scale, 1);
  EXPECT_EQ(back.config().hook, relu.config().hook);
  EXPECT_EQ(back.config().concepts[0].name, relu.config().concepts[0].name);
  const at::Tensor h = at::randn({kRows, kWidth}) * 3;
  const at::Tensor z = relu.Encode(h);
  EXPECT_LT(Difference(back.Encode(h), z), kTolerance);
  EXPECT_LT(Difference(back.Decode(z), relu.Decode(z)), kTolerance);
}

// Concept slots that are always kept.
TEST(SaeLensExportTest, KeepsConceptSlotsOfJumpReluByTheirThreshold) {
  const Sae jump = OwnSae(SaeActivation::kJumpRelu);
  const std::string out = ::testing::TempDir() + "/saelens.jump";
  ASSERT_OK(ExportToSaeLens(jump, out));
  ASSERT_OK_AND_ASSIGN(const Sae back, Sae::Load(out, Sae::LoadMode::kWhole));
  const at::Tensor h = at::randn({kRows, kWidth}) * 3;
  EXPECT_LT(Difference(back.Encode(h), jump.Encode(h)), kTolerance);
}

TEST(SaeLensExportTest, RefusesWhatSaeLensHasNoArchitectureFor) {
  for (const SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kTopK}) {
    const Sae sae = OwnSae(activation);
    const std::string out = ::testing::TempDir() + "/saelens.none";
    std::filesystem::remove_all(out);
    EXPECT_THAT(ExportToSaeLens(sae, out),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("SAELens has no such architecture")));
    EXPECT_FALSE(std::filesystem::exists(out));
  }
}

}  // namespace
}  // namespace alignsae
