#include "model/scheduler/fork_plan.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

constexpr int kPrompt = 12;

// Checkpoint 0 is at site 1, checkpoint 1 at site 3.
Intervention At(int checkpoint, std::vector<int> prompt,
                bool generated = false) {
  Intervention intervention;
  intervention.checkpoint = checkpoint;
  intervention.positions = {std::move(prompt), generated};
  return intervention;
}

PromptFork Plan(const std::vector<std::vector<Intervention>>& variants) {
  std::vector<SequenceSpec> specs;
  for (const std::vector<Intervention>& interventions : variants) {
    SequenceSpec spec;
    spec.prompt.assign(kPrompt, 1);
    spec.interventions =
        std::make_shared<const std::vector<Intervention>>(interventions);
    specs.push_back(std::move(spec));
  }
  std::vector<const SequenceSpec*> pointers;
  for (const SequenceSpec& spec : specs) pointers.push_back(&spec);
  return PlanFork(pointers, *TwoCheckpoints());
}

void ExpectPlan(const PromptFork& plan, int site, int position) {
  EXPECT_EQ(plan.site, site);
  EXPECT_EQ(plan.position, position);
}

TEST(ForkPlanTest, PartsAtTheFirstChangedPositionAndTheLowestChangedSite) {
  ExpectPlan(Plan({{}, {At(1, {11})}}), 3, 11);
  ExpectPlan(Plan({{}, {At(1, {11})}, {At(0, {4, 7})}}), 1, 4);
  ExpectPlan(Plan({{At(1, {0, 1, 2}), At(0, {11})}, {}}), 1, 0);
}

TEST(ForkPlanTest, AVectorPartsAtTheBlockThatItsHookPointLiesIn) {
  Intervention edit = At(-1, {5});
  const auto at = [&](HookPoint hook) {
    edit.vector =
        std::make_shared<const SteeringVector>(SteeringVector{hook, {1}});
    return Plan({{}, {edit}});
  };
  ExpectPlan(at({HookKind::kResidPre, 2}), 2, 5);
  ExpectPlan(at({HookKind::kAttnOut, 2}), 2, 5);
  ExpectPlan(at({HookKind::kMlpOut, 2}), 2, 5);
  ExpectPlan(at({HookKind::kResidPost, 2}), 3, 5);
}

TEST(ForkPlanTest, NothingChangedInThePromptPartsBehindTheLastBlock) {
  ExpectPlan(Plan({{}, {At(0, {}, true)}}), 4, kPrompt - 1);
  ExpectPlan(Plan({{}}), 4, kPrompt - 1);
}

TEST(ForkPlanTest, SharedTokensCostOnceTheOthersForEachVariant) {
  const PromptFork fork = {.site = 1, .position = 10};
  EXPECT_EQ(ChunkCost(fork, 0, 8, 5), 8);
  EXPECT_EQ(ChunkCost(fork, 0, 12, 5), 10 + 2 * 5);
  EXPECT_EQ(ChunkCost(fork, 11, 12, 5), 5);
}

TEST(ForkPlanTest, ChunkEndsWhereTheBudgetDoes) {
  const PromptFork fork = {.site = 1, .position = 10};
  EXPECT_EQ(ChunkEnd(fork, 0, 12, 5, 8), 8);
  EXPECT_EQ(ChunkEnd(fork, 0, 12, 5, 10), 10);
  EXPECT_EQ(ChunkEnd(fork, 0, 12, 5, 14), 10);
  EXPECT_EQ(ChunkEnd(fork, 0, 12, 5, 15), 11);
  EXPECT_EQ(ChunkEnd(fork, 0, 12, 5, 100), 12);
  EXPECT_EQ(ChunkEnd(fork, 8, 12, 5, 7), 11);
  EXPECT_EQ(ChunkEnd(fork, 10, 12, 5, 3), 11);  // At least one.
  for (int budget = 1; budget < 30; ++budget) {
    for (int begin = 0; begin < 12; ++begin) {
      const int end = ChunkEnd(fork, begin, 12, 3, budget);
      ASSERT_GT(end, begin);
      if (end > begin + 1) {
        EXPECT_LE(ChunkCost(fork, begin, end, 3), budget);
      }
      if (end < 12) {
        EXPECT_GT(ChunkCost(fork, begin, end + 1, 3), budget);
      }
    }
  }
}

}  // namespace
}  // namespace alignsae
