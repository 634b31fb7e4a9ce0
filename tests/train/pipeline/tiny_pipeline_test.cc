// The `tiny` preset from nothing to a bundle, with floors on its figures. Takes
// minutes: label slow. The floors leave room for another machine's rounding,
// not for a broken part: chance is 1/6 for binding and near 0 for swaps.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/string_view.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/bundle/bundle_writer.h"
#include "model/train/eval/report.h"
#include "model/train/pipeline/bundle.h"
#include "model/train/pipeline/pipeline.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"
#include "tests/train/study/tiny_study.h"

namespace alignsae {
namespace {

absl::StatusOr<Manifest> ManifestOf(const std::string& bundle) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                            ReadFile(bundle + "/bundle.json"));
  return ParseManifest(text);
}

// Every concept's certificate counts as the evaluation does; certifying the
// bundle anew gives the same bytes, also where none was there; and slots that
// steer write.
void ExpectCertificates(const std::string& bundle,
                        const nlohmann::json& evaluation) {
  ASSERT_OK_AND_ASSIGN(const Manifest manifest, ManifestOf(bundle));
  for (const Concept& entry : manifest.saes[0].concepts) {
    ASSERT_TRUE(entry.certificate.has_value()) << entry.name;
    EXPECT_GT(entry.certificate->cosine, 0.7) << entry.name;
    EXPECT_GT(entry.certificate->written_share, 0.5) << entry.name;
    const nlohmann::json& counted =
        evaluation["test"]["swap"]["by_target"][entry.name]["all"];
    ASSERT_TRUE(entry.certificate->measured_swap.has_value());
    const MeasuredSwap& swap = *entry.certificate->measured_swap;
    EXPECT_EQ(swap.n, counted["tries"].get<int64_t>());
    EXPECT_NEAR(swap.rate, counted["whole"].get<double>(), 1e-4);
    EXPECT_EQ(swap.wordings, 10);
    EXPECT_EQ(swap.people, 40);
  }
  const auto whole = TreeOf(bundle);
  ASSERT_OK(CertifyBundle(bundle, {}));
  EXPECT_THAT(Differences(whole, TreeOf(bundle)), ::testing::IsEmpty());

  // As a bundle was before there were certificates.
  Manifest bare = manifest;
  for (Concept& entry : bare.saes[0].concepts) entry.certificate.reset();
  const std::string sae = bundle + "/sae/main";
  ASSERT_OK_AND_ASSIGN(const std::string cfg, ReadFile(sae + "/cfg.json"));
  ASSERT_OK_AND_ASSIGN(SaeConfig config, ParseSaeConfig(cfg));
  config.concepts = bare.saes[0].concepts;
  ASSERT_OK(WriteFileAtomically(sae + "/cfg.json", SaeConfigToJson(config)));
  std::filesystem::remove(sae + "/class_means.safetensors");
  ASSERT_OK(WriteManifestWithHashes(bundle, bare));
  ASSERT_OK(LoadBundle(bundle, {}));
  ASSERT_OK(CertifyBundle(bundle, {}));
  EXPECT_THAT(Differences(whole, TreeOf(bundle)), ::testing::IsEmpty());
}

TEST(TinyPipelineTest, ReachesItsFloorsFromNothing) {
  TemporaryDirectory directory("tiny_pipeline");
  Progress progress(stdout, nullptr);
  PipelineRun run;
  run.work = directory.File("work");
  run.out = directory.File("bundle");
  run.progress = &progress;
  ASSERT_OK_AND_ASSIGN(const nlohmann::json evaluation,
                       RunPipeline(*FindPreset("tiny"), run));
  std::fputs(RenderEvaluation(evaluation).c_str(), stdout);

  const nlohmann::json& answers = evaluation["language_model"]["test"];
  EXPECT_GE(answers["asked"]["whole"].get<double>(), 0.95);
  EXPECT_GE(answers["never_asked"]["whole"].get<double>(), 0.75);
  const nlohmann::json& test = evaluation["test"];
  EXPECT_GE(test["binding"]["diagonal_accuracy"].get<double>(), 0.95);
  EXPECT_GE(test["swap"]["all"]["whole"].get<double>(), 0.70);
  EXPECT_LT(test["dictionary"]["fvu"].get<double>(), 0.5);
  EXPECT_GE(evaluation["baselines"]["class_means"]["swap"]["all"]["whole"]
                .get<double>(),
            0.60);
  // Every concept's example names a person of the data.
  const auto manifest =
      nlohmann::json::parse(ReadFile(run.out + "/bundle.json").value());
  const std::string people = ReadFile(run.out + "/eval/people.jsonl").value();
  for (const auto& entry : manifest["saes"][0]["concepts"]) {
    const std::string example = entry["example"];
    const size_t name = example.find("Tell me ") + 8;
    EXPECT_NE(people.find(example.substr(name, example.find("'s") - name)),
              std::string::npos)
        << example;
  }
  ExpectCertificates(run.out, evaluation);
  ExpectLossesMatter(run.work);
  // The curve falls on both sides of its best alpha.
  const nlohmann::json& curve = test["swap"]["alpha_curve"];
  const double best = test["swap"]["all"]["whole"].get<double>();
  EXPECT_LT(curve.front()["whole"].get<double>(), best);
  EXPECT_LT(curve.back()["whole"].get<double>(), best);
}

}  // namespace
}  // namespace alignsae
