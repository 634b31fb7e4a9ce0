#include "model/scheduler/prefix_rules.h"

#include <gtest/gtest.h>

#include <climits>
#include <memory>
#include <utility>
#include <vector>

#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

SequenceSpec TwentyTokens(std::vector<Intervention> interventions = {}) {
  SequenceSpec spec;
  spec.prompt.assign(20, 7);
  spec.max_new_tokens = 3;
  spec.interventions = std::make_shared<const std::vector<Intervention>>(
      std::move(interventions));
  return spec;
}

Intervention EditAt(std::vector<int> prompt, bool generated = false) {
  Intervention edit;
  edit.positions = {std::move(prompt), generated};
  return edit;
}

TEST(PrefixRulesTest, TheLastTokenIsAlwaysComputed) {
  EXPECT_EQ(TakeableTokens(TwentyTokens()), 19);
  EXPECT_EQ(TakeableTokens(TwentyTokens({EditAt({19})})), 19);
  EXPECT_EQ(TakeableTokens(TwentyTokens({EditAt({}, true)})), 19);
  SequenceSpec one = TwentyTokens();
  one.prompt.resize(1);
  EXPECT_EQ(TakeableTokens(one), 0);
}

TEST(PrefixRulesTest, ComputesFromTheFirstEditReadingOrScore) {
  EXPECT_EQ(TakeableTokens(TwentyTokens({EditAt({19}), EditAt({8, 12})})), 8);
  SequenceSpec read = TwentyTokens();
  read.observations = {{0, {19}, false}, {1, {5, 6}, false}, {0, {}, false}};
  EXPECT_EQ(TakeableTokens(read), 5);
  SequenceSpec scored = TwentyTokens();
  scored.prompt_logprobs = 0;
  EXPECT_EQ(TakeableTokens(scored), 0);
}

TEST(PrefixRulesTest, LeavesWhatIsBeforeTheFirstEdit) {
  EXPECT_EQ(UneditedPositions(TwentyTokens()), INT_MAX);
  EXPECT_EQ(UneditedPositions(TwentyTokens({EditAt({}, true)})), 20);
  EXPECT_EQ(UneditedPositions(TwentyTokens({EditAt({}, true), EditAt({3})})),
            3);
  EXPECT_EQ(UneditedPositions(TwentyTokens({EditAt({4, 9}, true)})), 4);
}

TEST(PrefixRulesTest, AReadoutGoesToItsLastHook) {
  const std::shared_ptr<const Catalog> catalog = TwoCheckpoints();
  SequenceSpec spec = TwentyTokens();
  spec.observations = {{0, {19}, false}};
  EXPECT_EQ(BlocksOf(spec, *catalog), 4);
  spec.max_new_tokens = 0;
  EXPECT_EQ(BlocksOf(spec, *catalog), 1);
  spec.observations.push_back({1, {19}, false});
  EXPECT_EQ(BlocksOf(spec, *catalog), 3);
}

}  // namespace
}  // namespace alignsae
