// Steered answers of the whole engine against the scalar reference of GPT-2
// with the scalar reference of the interventions in its hook: every mode at
// every clause of positions, several edits in order, every kind of hook point.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/engine/engine.h"
#include "tests/reference/gpt2_reference.h"
#include "tests/reference/sae_reference.h"
#include "tests/support/tiny_bundle.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

constexpr int kPromptLength = 6;
constexpr int kAnswerTokens = 16;

std::vector<double> Values(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU, at::kDouble).contiguous();
  const double* data = values.data_ptr<double>();
  return {data, data + values.numel()};
}

ReferenceSae ReferenceOf(const Sae& sae) {
  ReferenceSae reference;
  reference.config = sae.config();
  reference.w_enc = Values(sae.weights().w_enc);
  reference.b_enc = Values(sae.weights().b_enc);
  reference.w_dec = Values(sae.weights().w_dec);
  reference.b_dec = Values(sae.weights().b_dec);
  return reference;
}

// Positions of an edit, by the name of the clause that gives them.
struct Clause {
  std::string name;
  ResolvedPositions positions;
};
const Clause kClauses[] = {
    {"last", {{5}, false}},         {"all", {{0, 1, 2, 3, 4, 5}, false}},
    {"list", {{0, 2, 5}, false}},   {"window", {{1, 2, 3}, false}},
    {"generated only", {{}, true}}, {"last and generated", {{5}, true}}};

// By the hook points of two checkpoints, the second of which comes first.
class SteeringReferenceTest
    : public ::testing::TestWithParam<std::vector<HookPoint>> {
 protected:
  SteeringReferenceTest()
      : bundle_(TinyBundle(GetParam())),
        engine_(Engine::Create(bundle_, {.kv_slots = 2}).value()),
        model_(TinyGpt2Config(), ParametersOf(TinyBundleWeights())) {
    for (const Sae& sae : bundle_->saes) saes_.push_back(ReferenceOf(sae));
    prompt_ = RandomTokens(TinyGpt2Config(), kPromptLength, 21);
  }

  Intervention Edit(InterventionMode mode, int checkpoint,
                    const ResolvedPositions& positions) const {
    Intervention edit;
    edit.mode = mode;
    edit.checkpoint = checkpoint;
    edit.target_slot = 3;
    if (IsTwoSlotMode(mode)) edit.source_slot = 0;
    if (mode != InterventionMode::kAblate) edit.alpha = 1.75;
    edit.positions = positions;
    return edit;
  }

  // The reference's logits after each of `tokens`.
  std::vector<Vector> Logits(const std::vector<int32_t>& tokens,
                             const std::vector<Intervention>& edits) const {
    return model_
        .Run(tokens,
             [&](const HookPoint& at, int position, Vector& h) {
               const Vector read = h;  // Before any edit here.
               for (const Intervention& edit : edits) {
                 if (edit.when.has_value() &&
                     !ReferenceHolds(saes_[edit.when->checkpoint], *edit.when,
                                     read)) {
                   continue;
                 }
                 if (edit.vector != nullptr) {
                   if (edit.vector->hook.place() == at.place() &&
                       edit.AppliesAt(position, kPromptLength)) {
                     h = ReferenceVectorEdit(edit, h);
                   }
                   continue;
                 }
                 const ReferenceSae& sae = saes_[edit.checkpoint];
                 if (sae.config.hook.place() == at.place() &&
                     edit.AppliesAt(position, kPromptLength)) {
                   h = ReferenceEdit(sae, edit, h);
                 }
               }
             })
        .logits;
  }

  static double LogSoftmax(const Vector& logits, int32_t token) {
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (double logit : logits) sum += std::exp(logit - largest);
    return logits[token] - largest - std::log(sum);
  }

  // The logprobs of the prompt's own tokens.
  void ExpectScores(const RowResult& result, const std::vector<Vector>& logits,
                    const std::string& what) const {
    ASSERT_EQ(result.scores.size(), prompt_.size() - 1) << what;
    for (size_t i = 0; i < result.scores.size(); ++i) {
      const SampledToken& scored = result.scores[i];
      EXPECT_EQ(scored.token, prompt_[i + 1]) << what << " " << i;
      EXPECT_NEAR(scored.logprob, LogSoftmax(logits[i], scored.token), 1e-4)
          << what << " " << i;
      ASSERT_EQ(scored.top.size(), 3u);
      for (const TokenLogprob& top : scored.top) {
        EXPECT_NEAR(top.logprob, LogSoftmax(logits[i], top.token), 1e-4)
            << what << " " << i;
      }
    }
  }

  // The engine's greedy answer, each token checked against the reference.
  std::vector<int32_t> ExpectAsReference(const std::vector<Intervention>& edits,
                                         const std::string& what) {
    StepRow row;
    row.prompt_length = kPromptLength;
    row.tokens = prompt_;
    row.interventions =
        std::make_shared<const std::vector<Intervention>>(edits);
    row.sampling = SamplingParams{.n_logprobs = 5};
    row.scored.assign(prompt_.begin() + 1, prompt_.end());
    row.n_scored_logprobs = 3;
    std::vector<int32_t> tokens = prompt_;
    for (int i = 0; i < kAnswerTokens; ++i) {
      const RowResult result = engine_->Step({row}).front();
      EXPECT_TRUE(result.status.ok()) << what << ": " << result.status;
      if (!result.status.ok()) return tokens;
      const std::vector<Vector> all = Logits(tokens, edits);
      if (i == 0) ExpectScores(result, all, what);
      const Vector& logits = all.back();
      for (const TokenLogprob& top : result.sampled->top) {
        EXPECT_NEAR(top.logprob, LogSoftmax(logits, top.token), 1e-4)
            << what << ", token " << i;
      }
      EXPECT_EQ(logits[result.sampled->token],
                *std::max_element(logits.begin(), logits.end()))
          << what << " " << i;
      row.scored.clear();
      row.start += static_cast<int>(row.tokens.size());
      row.tokens = {result.sampled->token};
      tokens.push_back(result.sampled->token);
    }
    return tokens;
  }

  // Of one concept at every position of the prompt.
  std::vector<float> ValuesOf(int checkpoint, int column) {
    StepRow row;
    row.prompt_length = kPromptLength;
    row.tokens = prompt_;
    row.interventions = std::make_shared<const std::vector<Intervention>>();
    row.observations = {
        {.checkpoint = checkpoint, .positions = {0, 1, 2, 3, 4, 5}}};
    row.leave_after_observations = true;
    std::vector<float> values;
    const RowResult result = engine_->Step({row}).front();
    for (const ConceptReading& read : result.readings) {
      values.push_back(read.values[column]);
    }
    return values;
  }

  // What the receipt of `edit` says of the prompt.
  void ExpectChecked(const Intervention& edit, int applied) {
    StepRow row;
    row.prompt_length = kPromptLength;
    row.tokens = prompt_;
    row.interventions =
        std::make_shared<const std::vector<Intervention>>(1, edit);
    row.sampling = SamplingParams();
    const RowResult result = engine_->Step({row}).front();
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.receipts[0].positions_checked, kPromptLength);
    EXPECT_EQ(result.receipts[0].positions_applied, applied);
    EXPECT_EQ(result.receipts[0].effects.size(), static_cast<size_t>(applied));
  }

  // What an edit of positions 2 and 5 measured is what is read without it, and
  // the slots that it names are told as they are told apart.
  void ExpectSlots(const InterventionReceipt& receipt, int checkpoint) {
    const std::vector<Concept>& concepts =
        bundle_->saes[checkpoint].config().concepts;
    ASSERT_EQ(receipt.effects.size(), 2u);
    for (size_t r = 0; r < concepts.size(); ++r) {
      const std::vector<float> read = ValuesOf(checkpoint, static_cast<int>(r));
      const PositionEffect& first = receipt.effects[0];
      ASSERT_EQ(first.slots_before.size(), concepts.size());
      ASSERT_EQ(first.slots_after.size(), concepts.size());
      EXPECT_NEAR(first.slots_before[r], read[2], 1e-4);
      for (const PositionEffect& effect : receipt.effects) {
        if (concepts[r].slot == receipt.effects[0].source_slot) {
          EXPECT_NEAR(effect.slots_before[r], effect.source_before, 1e-5);
          EXPECT_NEAR(effect.slots_after[r], effect.source_after, 1e-5);
        } else if (concepts[r].slot == 3) {
          EXPECT_NEAR(effect.slots_before[r], effect.target_before, 1e-5);
          EXPECT_NEAR(effect.slots_after[r], effect.target_after, 1e-5);
        }
      }
    }
  }

  std::shared_ptr<const Bundle> bundle_;
  std::unique_ptr<Engine> engine_;
  ReferenceGpt2 model_;
  std::vector<ReferenceSae> saes_;
  std::vector<int32_t> prompt_;
};

TEST_P(SteeringReferenceTest, EveryModeAtEveryClauseOfPositions) {
  const std::vector<int32_t> baseline = ExpectAsReference({}, "baseline");
  int changed = 0;
  for (int checkpoint : {0, 1}) {
    for (InterventionMode mode : kInterventionModes) {
      for (const Clause& clause : kClauses) {
        const std::vector<int32_t> steered = ExpectAsReference(
            {Edit(mode, checkpoint, clause.positions)},
            std::string(InterventionModeName(mode)) + " at " + clause.name);
        if (steered != baseline) ++changed;
      }
    }
  }
  EXPECT_GT(changed, 40) << "the edits must be large enough to tell";
}

TEST_P(SteeringReferenceTest, SeveralEditsApplyInOrder) {
  const ResolvedPositions last = {{5}, false};
  for (int checkpoint : {0, 1}) {
    const Intervention set = Edit(InterventionMode::kSet, checkpoint, last);
    // Its size depends on the residual that it finds.
    const Intervention add =
        Edit(InterventionMode::kAddNormMatched, checkpoint, last);
    ExpectAsReference({set, add}, "SET, ADD_NORM_MATCHED");
    ExpectAsReference({add, set}, "ADD_NORM_MATCHED, SET");
    EXPECT_NE(Logits(prompt_, {set, add}), Logits(prompt_, {add, set}));
  }
  // Of two checkpoints the one with the earlier hook comes first, whatever the
  // order of the request.
  ExpectAsReference({Edit(InterventionMode::kSwap, 0, last),
                     Edit(InterventionMode::kAdd, 1, {{0, 5}, true})},
                    "two hooks");
}

// Where the reading says so, of the residual before any edit there.
TEST_P(SteeringReferenceTest, ConditionsChooseThePositions) {
  const ResolvedPositions everywhere = {{0, 1, 2, 3, 4, 5}, true};
  for (int checkpoint : {0, 1}) {
    const std::vector<float> values = ValuesOf(checkpoint, 1);
    std::vector<float> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    // Between two of them, so that rounding does not matter.
    const double threshold = (double{sorted[2]} + sorted[3]) / 2;
    Intervention edit = Edit(InterventionMode::kSet, checkpoint, everywhere);
    edit.when = ReadingCondition{.checkpoint = checkpoint, .column = 1};
    edit.when->above = threshold;
    const int above = static_cast<int>(
        std::count_if(values.begin(), values.end(),
                      [&](float value) { return value > threshold; }));
    ExpectAsReference({edit}, "above");
    ExpectChecked(edit, above);
    for (bool bound : {true, false}) {
      edit.when->bound = bound;
      edit.when->above.reset();
      ExpectAsReference({edit}, bound ? "bound" : "not bound");
    }
    // The one before it changes the slot, not the reading.
    Intervention before = Edit(InterventionMode::kSet, checkpoint, everywhere);
    before.target_slot = bundle_->saes[checkpoint].config().concepts[1].slot;
    before.alpha = 3;
    edit.when->bound.reset();
    edit.when->above = threshold;
    ExpectAsReference({before, edit}, "behind another");
    edit.when->above = 1e6;
    ExpectChecked(edit, 0);
  }
}

// A row beside another one that feeds the same tokens without the edit.
TEST_P(SteeringReferenceTest, TheDivergenceIsTheReferences) {
  for (int checkpoint : {0, 1}) {
    Intervention edit =
        Edit(InterventionMode::kSwap, checkpoint, {{2, 5}, true});
    edit.measure = true;
    StepRow steered;
    steered.prompt_length = kPromptLength;
    steered.tokens = prompt_;
    steered.interventions =
        std::make_shared<const std::vector<Intervention>>(1, edit);
    steered.sampling = SamplingParams();
    steered.reference = 1;
    StepRow plain = steered;
    plain.kv_slot = 1;
    plain.interventions = std::make_shared<const std::vector<Intervention>>();
    plain.reference = -1;
    std::vector<int32_t> tokens = prompt_;
    for (int i = 0; i < 4; ++i) {
      const std::vector<RowResult> results = engine_->Step({steered, plain});
      ASSERT_TRUE(results[0].kl.has_value());
      EXPECT_FALSE(results[1].kl.has_value());
      const Vector p = Logits(tokens, {edit}).back();
      const Vector q = Logits(tokens, {}).back();
      double kl = 0;
      for (size_t token = 0; token < p.size(); ++token) {
        const double log_p = LogSoftmax(p, static_cast<int32_t>(token));
        kl += std::exp(log_p) *
              (log_p - LogSoftmax(q, static_cast<int32_t>(token)));
      }
      EXPECT_GT(kl, 1e-4) << "the edit must be large enough to tell";
      EXPECT_NEAR(*results[0].kl, kl, 1e-4 * (1 + kl)) << i;
      if (i == 0) ExpectSlots(results[0].receipts[0], checkpoint);
      tokens.push_back(results[0].sampled->token);
      for (StepRow* row : {&steered, &plain}) {
        row->start += static_cast<int>(row->tokens.size());
        row->tokens = {tokens.back()};
      }
    }
  }
}

// At every hook point, of which the SAEs have but two.
TEST_P(SteeringReferenceTest, VectorsAtEveryHookPoint) {
  const int d_model = TinyGpt2Config().d_model;
  for (int layer : {0, 3}) {
    for (HookKind kind : kHookKinds) {
      for (InterventionMode mode : kInterventionModes) {
        if (!TakesVector(mode)) continue;
        Intervention edit = Edit(mode, 0, {{2, 5}, true});
        const std::vector<double> v = RandomResidual(d_model, 2, 17);
        edit.vector = std::make_shared<const SteeringVector>(
            SteeringVector{{kind, layer}, {v.begin(), v.end()}});
        const std::string what = edit.vector->hook.ToString() + " " +
                                 std::string(InterventionModeName(mode));
        ExpectAsReference({edit}, what);
        EXPECT_NE(Logits(prompt_, {edit}), Logits(prompt_, {})) << what;
      }
    }
  }
}

TEST_P(SteeringReferenceTest, AReadoutThatLeavesReadsWhatOneThatStaysReads) {
  StepRow row;
  row.prompt_length = kPromptLength;
  row.tokens = prompt_;
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  for (int checkpoint : {0, 1}) {
    row.observations = {{.checkpoint = checkpoint, .positions = {1, 5}}};
    row.sampling = SamplingParams();
    row.leave_after_observations = false;
    const RowResult stays = engine_->Step({row}).front();
    row.sampling.reset();
    row.leave_after_observations = true;
    const RowResult leaves = engine_->Step({row}).front();
    ASSERT_EQ(leaves.readings.size(), 2u);
    for (int i : {0, 1}) {
      const std::vector<float>& values = leaves.readings[i].values;
      ASSERT_EQ(values.size(), saes_[checkpoint].config.concepts.size());
      EXPECT_GT(leaves.readings[i].residual_norm, 0);
      for (size_t r = 0; r < values.size(); ++r) {
        EXPECT_NEAR(values[r], stays.readings[i].values[r], 1e-4);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Hooks, SteeringReferenceTest,
    ::testing::Values(std::vector<HookPoint>{{HookKind::kResidPre, 2},
                                             {HookKind::kResidPost, 0}},
                      std::vector<HookPoint>{{HookKind::kResidMid, 2},
                                             {HookKind::kAttnOut, 2}},
                      // Inside the last block.
                      std::vector<HookPoint>{{HookKind::kMlpOut, 3},
                                             {HookKind::kAttnOut, 3}}),
    [](const auto& test) {
      return absl::StrCat(HookKindName(test.param[0].kind), "_",
                          HookKindName(test.param[1].kind));
    });

}  // namespace
}  // namespace alignsae
