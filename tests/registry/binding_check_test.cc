#include "server/registry/binding_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/fake_step_executor.h"
#include "tests/support/small_catalog.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// The fake says that the first concept, "city", is on top.
class BindingCheckTest : public ::testing::Test {
 protected:
  BindingCheckTest() : catalog_(*SmallCatalog()), executor_(3) {
    catalog_.checkpoints.resize(1);
    for (int i = 0; i < 8; ++i) {
      catalog_.checkpoints[0].validation.push_back(
          {std::string(i + 1, 'a'), i == 3 ? "job" : "city", "", {}});
    }
    catalog_.checkpoints[0].validation.push_back({"none", "", "", {}});
  }
  absl::Status Check(double least) {
    return CheckBinding(executor_, catalog_, *tokenizer_,
                        {least, [this](const std::string& name, double rate) {
                           told_[name] = rate;
                         }});
  }

  Catalog catalog_;
  std::shared_ptr<const Tokenizer> tokenizer_ = SmallTokenizer();
  FakeStepExecutor executor_;
  std::map<std::string, double> told_;
};

TEST_F(BindingCheckTest, AsksEveryLabelledPromptInStepsThatFit) {
  EXPECT_OK(Check(0.875));
  EXPECT_THAT(told_, ElementsAre(Pair("main", 0.875)));
  ASSERT_EQ(executor_.steps.size(), 3u);  // 3, 3 and 2 of 3 places.
  EXPECT_EQ(executor_.steps[2].size(), 2u);
  for (const StepRow& row : executor_.steps[0]) {
    EXPECT_TRUE(row.leave_after_observations);
    EXPECT_FALSE(row.sampling.has_value());
    EXPECT_THAT(row.observations[0].positions,
                ElementsAre(row.prompt_length - 1));
  }
}

TEST_F(BindingCheckTest, APromptIsReadWhereItSays) {
  CheckpointInfo& checkpoint = catalog_.checkpoints[0];
  checkpoint.validation = {{"xyz uvw", "city", "", {}, -1, "yz"},
                           {"xyz", "city", "", {}, 0}};
  EXPECT_OK(Check(0.5));
  EXPECT_THAT(executor_.steps[0][0].observations[0].positions, ElementsAre(2));
  EXPECT_THAT(executor_.steps[0][1].observations[0].positions, ElementsAre(0));
  checkpoint.trained = TrainedPositions::kSpan;
  EXPECT_OK(Check(0.5));
  EXPECT_THAT(executor_.steps[1][0].observations[0].positions,
              ElementsAre(1, 2));
  EXPECT_THAT(executor_.steps[1][1].observations[0].positions, ElementsAre(0));
  checkpoint.validation[0].position_text = "q";
  EXPECT_THAT(Check(0.5),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "checkpoint \"main\": stored prompts: must stand in the "
                       "prompt, once, got \"q\", which does not"));
  checkpoint.validation = {{"xyz", "city", "", {}, 3}};
  EXPECT_THAT(Check(0.5), StatusIs(absl::StatusCode::kFailedPrecondition,
                                   "checkpoint \"main\": stored prompts."
                                   "position: must be inside the prompt, got "
                                   "3"));
}

TEST_F(BindingCheckTest, OneThatReadsTooFewIsNotServed) {
  EXPECT_THAT(Check(0.9),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "checkpoint \"main\": must read at least 0.9 of its "
                       "stored prompts right (--require-binding), got 0.875"));
  EXPECT_THAT(told_, ElementsAre(Pair("main", 0.875)));
}

TEST_F(BindingCheckTest, NothingIsAskedWithoutARule) {
  EXPECT_OK(Check(0));
  EXPECT_TRUE(executor_.steps.empty());
}

TEST_F(BindingCheckTest, WhatStoresNoPromptsCannotKeepTheRule) {
  catalog_.checkpoints[0].validation.resize(0);
  EXPECT_THAT(Check(0.1),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "checkpoint \"main\": must have labelled prompts in its "
                       "bundle, got none"));
  catalog_.checkpoints[0].concepts.clear();  // A plain SAE binds nothing.
  EXPECT_OK(Check(0.1));
}

}  // namespace
}  // namespace alignsae
