// Prompts of many tokens, whose logits are made in blocks.

#include "model/engine/step_head.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "model/engine/engine.h"
#include "tests/support/tiny_bundle.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

StepRow Prompt(int kv_slot, int length, uint64_t seed) {
  StepRow row;
  row.kv_slot = kv_slot;
  row.tokens = RandomTokens(TinyGpt2Config(), length, seed);
  row.prompt_length = length;
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  row.sampling = SamplingParams{};
  row.scored.assign(row.tokens.begin() + 1, row.tokens.end());
  row.n_scored_logprobs = 2;
  return row;
}

// More rows than a block has, and not a whole number of blocks.
TEST(StepHeadTest, PromptsScoreTogetherAsTheyDoAlone) {
  const auto engine =
      Engine::Create(TinyBundle({{HookKind::kResidPre, 2}}), {.kv_slots = 6})
          .value();
  const int context = TinyGpt2Config().context_length;
  std::vector<StepRow> rows;
  int scored = 0;
  for (int i = 0; i < 6; ++i) {
    rows.push_back(Prompt(i, context - 3 * i, 30 + i));
    scored += static_cast<int>(rows.back().scored.size());
  }
  ASSERT_GT(scored, kHeadRows);
  ASSERT_NE(scored % kHeadRows, 0);
  const std::vector<RowResult> together = engine->Step(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_TRUE(together[i].status.ok()) << together[i].status;
    const RowResult alone = engine->Step({rows[i]}).front();
    ASSERT_EQ(alone.scores.size(), rows[i].scored.size());
    ASSERT_EQ(together[i].scores.size(), rows[i].scored.size());
    for (size_t k = 0; k < alone.scores.size(); ++k) {
      EXPECT_EQ(together[i].scores[k].token, rows[i].tokens[k + 1]);
      EXPECT_NEAR(together[i].scores[k].logprob, alone.scores[k].logprob, 1e-5);
    }
    EXPECT_EQ(together[i].sampled->token, alone.sampled->token);
  }
}

// Rows that score beside rows that do not.
TEST(StepHeadTest, ScoringChangesNothingForOthers) {
  const auto engine =
      Engine::Create(TinyBundle({{HookKind::kResidPre, 2}}), {.kv_slots = 3})
          .value();
  std::vector<StepRow> rows = {Prompt(0, 9, 1), Prompt(1, 12, 2),
                               Prompt(2, 7, 3)};
  const std::vector<RowResult> all = engine->Step(rows);
  rows[0].scored.clear();
  rows[2].scored.clear();
  const std::vector<RowResult> one = engine->Step(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(one[i].sampled->token, all[i].sampled->token);
    EXPECT_NEAR(one[i].sampled->logprob, all[i].sampled->logprob, 1e-5);
  }
  EXPECT_TRUE(one[0].scores.empty());
  ASSERT_EQ(one[1].scores.size(), all[1].scores.size());
  for (size_t k = 0; k < one[1].scores.size(); ++k) {
    EXPECT_NEAR(one[1].scores[k].logprob, all[1].scores[k].logprob, 1e-5);
  }
}

}  // namespace
}  // namespace alignsae
