// The examples of the shipped bundle are those that its own data and model
// give: about a person of model/demo/eval, answered right, and swapped right.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/base/file.h"
#include "model/bundle/bundle.h"
#include "model/train/eval/examples.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

TEST(DemoExamplesTest, AreChosenFromTheBundlesOwnPeople) {
  const std::string demo = ALIGNSAE_DEMO_BUNDLE;
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<const Bundle> bundle,
                       LoadBundle(demo, {.whole_sae = true}));
  ASSERT_OK_AND_ASSIGN(
      const EvalSet set,
      ReadEvalSet(demo + "/eval", bundle->catalog->model.prompt_template));
  const EvalInputs inputs = {bundle->model, bundle->tokenizer, &set};
  EvalOptions options;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<EvalSubject> subject,
                       EvalSubject::Create(inputs, bundle->saes, options.rows));
  const CheckpointInfo& checkpoint = bundle->catalog->checkpoints.at(0);
  ASSERT_EQ(checkpoint.recommended_mode, InterventionMode::kSwap);
  const SteeringChoice choice{.checkpoint = 0,
                              .mode = InterventionMode::kSwap,
                              .alpha = checkpoint.recommended_alpha};
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> expected,
                       ChooseExamples(*subject, choice, options));
  std::vector<std::string> stored;
  for (const Concept& entry : checkpoint.concepts) {
    stored.push_back(entry.example);
  }
  EXPECT_EQ(stored, expected);
  for (const std::string& example : stored) {
    int people = 0;
    for (const EvalPerson& person : set.people) {
      people += example.find(person.name) != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(people, 1) << example;
  }
}

}  // namespace
}  // namespace alignsae
