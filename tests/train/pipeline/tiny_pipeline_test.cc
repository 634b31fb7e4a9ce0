// The `tiny` preset from nothing to a bundle, with floors on its figures. Takes
// minutes: label slow. The floors leave room for another machine's rounding,
// not for a broken part: chance is 1/6 for binding and near 0 for swaps.

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/string_view.h"
#include "model/base/file.h"
#include "model/train/eval/report.h"
#include "model/train/pipeline/pipeline.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

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
  // The curve falls on both sides of its best alpha.
  const nlohmann::json& curve = test["swap"]["alpha_curve"];
  const double best = test["swap"]["all"]["whole"].get<double>();
  EXPECT_LT(curve.front()["whole"].get<double>(), best);
  EXPECT_LT(curve.back()["whole"].get<double>(), best);
}

}  // namespace
}  // namespace alignsae
