// Variants of one prompt that share what they have in common, against the same
// rows unshared.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/bundle/families.h"
#include "model/engine/engine.h"
#include "tests/support/golden.h"
#include "tests/support/tiny_bundle.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr int kPrompt = 21;
constexpr int kLayers = 4;
constexpr int kNewTokens = 6;

Intervention Edit(InterventionMode mode, double alpha, std::vector<int> prompt,
                  int checkpoint, bool generated = false) {
  Intervention edit;
  edit.checkpoint = checkpoint;  // 0 at site 2, 1 at site 1.
  edit.mode = mode;
  edit.target_slot = 3;
  if (IsTwoSlotMode(mode)) edit.source_slot = 0;
  edit.alpha = alpha;
  edit.positions = {std::move(prompt), generated};
  return edit;
}

std::vector<int> Range(int begin, int end) {
  std::vector<int> positions;
  for (int i = begin; i < end; ++i) positions.push_back(i);
  return positions;
}

// Where the variants of a case part, and what each does.
struct Case {
  std::string name;
  int site;
  int position;
  std::vector<std::vector<Intervention>> variants;
};

Intervention AlongVector(HookPoint hook, std::vector<int> prompt) {
  Intervention edit = Edit(InterventionMode::kAdd, 1.5, std::move(prompt), 0);
  const at::Tensor v = UniformTensor({TinyGpt2Config().d_model}, 2, 77);
  edit.vector = std::make_shared<const SteeringVector>(SteeringVector{
      hook, {v.data_ptr<float>(), v.data_ptr<float>() + v.numel()}});
  return edit;
}

std::vector<Case> Cases() {
  using Mode = InterventionMode;
  const int last = kPrompt - 1;
  const Intervention at_last = Edit(Mode::kSwap, 1, {last}, 0);
  const Intervention stronger = Edit(Mode::kSwap, 4, {last}, 0);
  const Intervention all = Edit(Mode::kAdd, 2, Range(0, kPrompt), 0);
  const Intervention early = Edit(Mode::kSet, -3, {5, 9, 18}, 1);
  const Intervention window = Edit(Mode::kMultiply, 5, Range(7, 12), 1);
  const Intervention later = Edit(Mode::kAdd, 1.5, {}, 0, true);
  return {{"last position", 2, last, {{}, {at_last}, {stronger}, {}}},
          {"whole prompt", 2, 0, {{}, {all}, {at_last}}},
          {"list and window", 1, 5, {{early}, {window}, {}, {early, at_last}}},
          {"generated only", kLayers, last, {{later}, {}}},
          {"prompt and generated", 2, last, {{at_last, later}, {}, {later}}},
          {"one variant", 2, last, {{at_last}}},
          {"vectors",
           1,
           7,
           {{},
            {AlongVector({HookKind::kAttnOut, 1}, {7, last})},
            {AlongVector({HookKind::kResidPost, 2}, {last}), at_last}}}};
}

std::vector<StepRow> Rows(const Case& of, bool forked) {
  const std::vector<int32_t> prompt =
      RandomTokens(TinyGpt2Config(), kPrompt, 9);
  std::vector<StepRow> rows;
  for (size_t i = 0; i < of.variants.size(); ++i) {
    StepRow row;
    row.kv_slot = static_cast<int>((5 * i + 3) % 11);
    row.prompt_length = kPrompt;
    row.tokens = prompt;
    row.interventions =
        std::make_shared<const std::vector<Intervention>>(of.variants[i]);
    row.sampling = SamplingParams{.n_logprobs = 8};
    row.scored.assign(prompt.begin() + 1, prompt.end());
    row.n_scored_logprobs = 4;
    // The fork's KV slot is its lead's, which need not be the first's.
    if (forked) row.fork = PromptFork{3, of.site, of.position, kPrompt};
    rows.push_back(row);
  }
  return rows;
}

struct Outcome {
  std::vector<SampledToken> sampled;
  std::vector<SampledToken> scores;  // Of the prompt but its first token.
  std::vector<ConceptReading> readings;
  std::vector<InterventionReceipt> receipts;
};

// Feeds the prompt in chunks of `chunk` tokens, then kNewTokens answers. Prompt
// positions 3, 9 and the last are read at both hooks.
std::vector<Outcome> Answer(Engine& engine, const Case& of, bool forked,
                            int chunk) {
  std::vector<StepRow> rows = Rows(of, forked);
  std::vector<Outcome> outcomes(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    outcomes[i].receipts.resize(rows[i].interventions->size());
  }
  const std::vector<int32_t> prompt = rows[0].tokens;
  int fed = 0;
  while (fed < kPrompt + kNewTokens) {
    const int count = fed < kPrompt ? std::min(chunk, kPrompt - fed) : 1;
    for (size_t i = 0; i < rows.size(); ++i) {
      StepRow& row = rows[i];
      row.start = fed;
      row.observations.clear();
      row.scored.clear();
      if (fed >= kPrompt) {
        row.tokens = {outcomes[i].sampled.back().token};
      } else {
        row.tokens.assign(prompt.begin() + fed, prompt.begin() + fed + count);
        row.scored.assign(prompt.begin() + fed + 1,
                          prompt.begin() + std::min(fed + count + 1, kPrompt));
        for (int checkpoint : {1, 0}) {
          Observation observation;
          observation.checkpoint = checkpoint;
          for (int position : {3, 9, kPrompt - 1}) {
            if (position >= fed && position < fed + count) {
              observation.positions.push_back(position);
            }
          }
          row.observations.push_back(observation);
        }
      }
      row.sampling.reset();
      if (fed + count >= kPrompt) {
        row.sampling = SamplingParams{.n_logprobs = 8};
      }
    }
    const std::vector<RowResult> results = engine.Step(rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_TRUE(results[i].status.ok()) << results[i].status;
      Outcome& outcome = outcomes[i];
      if (results[i].sampled.has_value()) {
        outcome.sampled.push_back(*results[i].sampled);
      }
      outcome.scores.insert(outcome.scores.end(), results[i].scores.begin(),
                            results[i].scores.end());
      outcome.readings.insert(outcome.readings.end(),
                              results[i].readings.begin(),
                              results[i].readings.end());
      for (size_t k = 0; k < results[i].receipts.size(); ++k) {
        outcome.receipts[k].Merge(results[i].receipts[k]);
      }
    }
    fed += count;
  }
  for (Outcome& outcome : outcomes) {  // Chunks change the order.
    std::sort(outcome.readings.begin(), outcome.readings.end(),
              [](const ConceptReading& a, const ConceptReading& b) {
                return std::make_pair(a.checkpoint, a.position) <
                       std::make_pair(b.checkpoint, b.position);
              });
  }
  return outcomes;
}

void ExpectSame(const std::vector<SampledToken>& a,
                const std::vector<SampledToken>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].token, b[i].token) << i;
    EXPECT_NEAR(a[i].logprob, b[i].logprob, 1e-4) << i;
    ASSERT_EQ(a[i].top.size(), b[i].top.size()) << i;
    for (size_t k = 0; k < a[i].top.size(); ++k) {
      EXPECT_NEAR(a[i].top[k].logprob, b[i].top[k].logprob, 1e-4) << i;
    }
  }
}

void ExpectSame(const Outcome& a, const Outcome& b) {
  ExpectSame(a.sampled, b.sampled);
  EXPECT_EQ(a.scores.size(), static_cast<size_t>(kPrompt - 1));
  ExpectSame(a.scores, b.scores);
  ASSERT_EQ(a.readings.size(), b.readings.size());
  for (size_t i = 0; i < a.readings.size(); ++i) {
    EXPECT_EQ(a.readings[i].checkpoint, b.readings[i].checkpoint) << i;
    EXPECT_EQ(a.readings[i].position, b.readings[i].position) << i;
    ASSERT_EQ(a.readings[i].values.size(), b.readings[i].values.size()) << i;
    for (size_t r = 0; r < a.readings[i].values.size(); ++r) {
      EXPECT_NEAR(a.readings[i].values[r], b.readings[i].values[r], 1e-4) << i;
    }
  }
  ASSERT_EQ(a.receipts.size(), b.receipts.size());
  for (size_t i = 0; i < a.receipts.size(); ++i) {
    EXPECT_EQ(a.receipts[i].positions_applied, b.receipts[i].positions_applied);
    ASSERT_EQ(a.receipts[i].effects.size(), b.receipts[i].effects.size());
    for (size_t k = 0; k < a.receipts[i].effects.size(); ++k) {
      EXPECT_EQ(a.receipts[i].effects[k].position,
                b.receipts[i].effects[k].position);
      EXPECT_NEAR(a.receipts[i].effects[k].change_norm,
                  b.receipts[i].effects[k].change_norm, 1e-3);
    }
  }
}

// A family, and the hook points of the checkpoints, at site 2 and at site 1.
struct ForkParam {
  std::string family;
  std::vector<HookPoint> hooks;
};

std::unique_ptr<const Transformer> ModelOf(const std::string& family) {
  if (family == "gpt2") return nullptr;  // The tiny bundle's own.
  return LoadTransformer(GoldenDirectory(family, "parallel"), TestDevice(),
                         WeightType::kF32)
      .value()
      .model;
}

class ForkTest : public ::testing::TestWithParam<ForkParam> {
 protected:
  std::unique_ptr<Engine> engine_ =
      Engine::Create(TinyBundle(GetParam().hooks, ModelOf(GetParam().family)),
                     {.kv_slots = 11})
          .value();
};

INSTANTIATE_TEST_SUITE_P(
    Hooks, ForkTest,
    ::testing::Values(
        ForkParam{"gpt2",
                  {{HookKind::kResidPre, 2}, {HookKind::kResidPost, 0}}},
        ForkParam{"gpt2", {{HookKind::kAttnOut, 2}, {HookKind::kResidMid, 1}}},
        ForkParam{"gpt2", {{HookKind::kMlpOut, 2}, {HookKind::kAttnOut, 1}}},
        ForkParam{"gpt_neox",
                  {{HookKind::kResidPre, 2}, {HookKind::kResidPost, 0}}},
        ForkParam{"gpt_neox",
                  {{HookKind::kAttnOut, 2}, {HookKind::kMlpOut, 1}}}),
    [](const auto& test) {
      return absl::StrCat(test.param.family, "_",
                          HookKindName(test.param.hooks[0].kind), "_",
                          HookKindName(test.param.hooks[1].kind));
    });

TEST_P(ForkTest, ForkedEqualsUnforkedWholeAndInChunks) {
  for (const Case& of : Cases()) {
    const std::vector<Outcome> expected = Answer(*engine_, of, false, kPrompt);
    for (int chunk : {kPrompt, 8, 5, 1}) {
      const std::vector<Outcome> forked = Answer(*engine_, of, true, chunk);
      for (size_t i = 0; i < expected.size(); ++i) {
        SCOPED_TRACE(
            absl::StrCat(of.name, ", chunks of ", chunk, ", variant ", i));
        ExpectSame(forked[i], expected[i]);
      }
    }
  }
}

TEST_P(ForkTest, VariantsThatChangeNothingAreBitEqualToTheBaseline) {
  const int last = kPrompt - 1;
  const Case of = {"",
                   2,
                   last,
                   {{},
                    {Edit(InterventionMode::kAdd, 0, {last}, 0, true)},
                    {Edit(InterventionMode::kSwap, 2, {last}, 0)},
                    {Edit(InterventionMode::kMultiply, 1, {last}, 0)}}};
  const std::vector<Outcome> outcomes = Answer(*engine_, of, true, 8);
  for (int same : {1, 3}) {
    for (int i = 0; i <= kNewTokens; ++i) {
      const SampledToken& a = outcomes[0].sampled[i];
      const SampledToken& b = outcomes[same].sampled[i];
      EXPECT_EQ(a.token, b.token);
      for (size_t k = 0; k < a.top.size(); ++k) {
        EXPECT_EQ(a.top[k].logprob, b.top[k].logprob) << same << " " << i;
      }
    }
  }
  EXPECT_NE(outcomes[0].sampled[0].logprob, outcomes[2].sampled[0].logprob);
}

TEST_P(ForkTest, EqualVariantsScoreThePromptWithEqualBits) {
  const std::vector<int> late = Range(9, kPrompt);
  const Case of = {"",
                   2,
                   9,
                   {{},
                    {Edit(InterventionMode::kAdd, 0, late, 0)},
                    {Edit(InterventionMode::kAdd, 3, late, 0)}}};
  for (int chunk : {kPrompt, 8}) {
    const std::vector<Outcome> outcomes = Answer(*engine_, of, true, chunk);
    for (int i = 0; i < kPrompt - 1; ++i) {
      EXPECT_EQ(outcomes[0].scores[i].logprob, outcomes[1].scores[i].logprob)
          << i;
      // The token after position 9 is the first that the edit reaches.
      EXPECT_EQ(outcomes[0].scores[i].logprob == outcomes[2].scores[i].logprob,
                i < 9)
          << i;
    }
  }
}

TEST_P(ForkTest, ScoredTokensThatDoNotFitTheirRowAreRefused) {
  std::vector<StepRow> rows = Rows({"", 2, kPrompt - 1, {{}}}, false);
  rows[0].scored.push_back(1);
  EXPECT_THAT(std::string(engine_->Step(rows)[0].status.message()),
              HasSubstr("21 scored tokens of 21"));
  rows = Rows({"", 2, kPrompt - 1, {{}}}, false);
  rows[0].scored[3] = 1 << 20;  // Of no family's vocabulary.
  EXPECT_THAT(std::string(engine_->Step(rows)[0].status.message()),
              HasSubstr("scored token"));
}

TEST_P(ForkTest, VariantThatOverflowsDoesNotTouchTheOthers) {
  const int last = kPrompt - 1;
  Case of = {
      "", 2, last, {{}, {}, {Edit(InterventionMode::kAdd, 1, {last}, 0)}}};
  const std::vector<Outcome> clean = Answer(*engine_, of, true, kPrompt);
  of.variants[1] = {Edit(InterventionMode::kAdd, 1e38, {last}, 0),
                    Edit(InterventionMode::kAdd, 1e38, {last}, 0)};
  std::vector<StepRow> rows = Rows(of, true);
  const std::vector<RowResult> results = engine_->Step(rows);
  EXPECT_EQ(results[1].status.code(), absl::StatusCode::kOutOfRange);
  for (int other : {0, 2}) {
    ASSERT_TRUE(results[other].status.ok());
    EXPECT_EQ(results[other].sampled->token, clean[other].sampled[0].token);
    EXPECT_EQ(results[other].sampled->logprob, clean[other].sampled[0].logprob);
  }
}

TEST_P(ForkTest, ForksAndOtherRowsShareAStep) {
  const std::vector<Case> cases = Cases();
  const std::vector<Outcome> expected =
      Answer(*engine_, cases[0], false, kPrompt);
  std::vector<StepRow> rows = Rows(cases[0], true);
  StepRow alone = rows[1];
  alone.kv_slot = 9;
  alone.fork.reset();
  rows.insert(rows.begin() + 2, alone);
  const std::vector<RowResult> results = engine_->Step(rows);
  const int of_case[] = {0, 1, 1, 2, 3};
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_TRUE(results[i].status.ok()) << results[i].status;
    EXPECT_NEAR(results[i].sampled->logprob,
                expected[of_case[i]].sampled[0].logprob, 1e-4);
  }
}

TEST_P(ForkTest, RowsThatDoNotFitTheirForkAreRefusedAlone) {
  const Case of = {"", 2, kPrompt - 1, {{}, {}, {}}};
  const auto refusal = [&](auto spoil) {
    std::vector<StepRow> rows = Rows(of, true);
    spoil(rows[1]);
    const std::vector<RowResult> results = engine_->Step(rows);
    EXPECT_TRUE(results[0].status.ok() && results[2].status.ok());
    EXPECT_EQ(results[1].status.code(), absl::StatusCode::kInternal);
    return std::string(results[1].status.message());
  };
  EXPECT_THAT(refusal([](StepRow& row) { row.tokens[4] ^= 1; }),
              HasSubstr("differs from its fork's lead"));
  EXPECT_THAT(refusal([](StepRow& row) { row.scored[4] ^= 1; }),
              HasSubstr("differs from its fork's lead"));
  EXPECT_THAT(refusal([](StepRow& row) { row.fork->position = 3; }),
              HasSubstr("differs from its fork's lead"));
  EXPECT_THAT(refusal([](StepRow& row) { row.fork->kv_slot = 11; }),
              HasSubstr("fork of KV slot 11"));
  // An edit before the fork would be lost.
  EXPECT_THAT(refusal([](StepRow& row) {
                row.interventions =
                    std::make_shared<const std::vector<Intervention>>(
                        1, Edit(InterventionMode::kAdd, 1, {2}, 0));
              }),
              HasSubstr("in what a fork shares"));
  EXPECT_THAT(refusal([](StepRow& row) {
                row.interventions =
                    std::make_shared<const std::vector<Intervention>>(
                        1, Edit(InterventionMode::kAdd, 1, {kPrompt - 1}, 1));
              }),
              HasSubstr("in what a fork shares"));
}

}  // namespace
}  // namespace alignsae
