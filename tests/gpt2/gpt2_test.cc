#include "model/gpt2/gpt2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "model/transformer/packing.h"
#include "tests/reference/gpt2_reference.h"
#include "tests/support/residual_hooks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kTolerance = 1e-4;
constexpr int kSlots = 10;
const Gpt2Config kConfig = {.n_layer = 3,
                            .n_head = 2,
                            .d_model = 16,
                            .d_inner = 40,
                            .context_length = 64,
                            .vocab_size = 61};

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// One sequence of a test: what it feeds in one step, and whether it is edited.
struct Sequence {
  std::vector<int32_t> history = {};  // Already in the cache.
  std::vector<int32_t> tokens;        // Of this step.
  double push = 0;  // Added to residual[0] of every position at site 1.
};

class Gpt2Test : public ::testing::Test {
 protected:
  Gpt2Test() : model_(TinyModel(kConfig)) {}

  // What `sequence.push` means, for rows whose index is an index of
  // `sequences`.
  static PositionHook Pushing(const std::vector<Sequence>& sequences) {
    return PositionHook(
        [&](int site, const PackedRow& row, int, at::Tensor residual) {
          const double push = sequences[row.index].push;
          if (site == 1 && push != 0) residual[0] += push;
        });
  }

  PackedRow Row(const Sequence& sequence, int index) const {
    return {.index = index,
            .kv_slot = (3 * index + 1) % kSlots,  // Not in row order.
            .start = static_cast<int>(sequence.history.size()),
            .length = static_cast<int>(sequence.tokens.size()),
            .exit_site = kConfig.n_layer,
            .logits = 1};
  }

  // Feeds histories one sequence at a time, then all `tokens` in one step.
  at::Tensor Together(const std::vector<Sequence>& sequences) const {
    KvCache cache(kConfig.facts(), kSlots, at::kCPU);
    PositionHook hook = Pushing(sequences);
    std::vector<PackedRow> rows;
    std::vector<int32_t> tokens;
    for (int i = 0; i < static_cast<int>(sequences.size()); ++i) {
      const Sequence& sequence = sequences[i];
      if (!sequence.history.empty()) {
        PackedRow past = Row(sequence, i);
        past.start = 0;
        past.length = static_cast<int>(sequence.history.size());
        model_.Forward(sequence.history, {past}, cache, &hook);
      }
      rows.push_back(Row(sequence, i));
      tokens.insert(tokens.end(), sequence.tokens.begin(),
                    sequence.tokens.end());
    }
    return model_.Forward(tokens, rows, cache, &hook);
  }

  // Last logits of the whole sequence by the scalar reference, [V].
  at::Tensor ByReference(const Sequence& sequence) const {
    const ReferenceGpt2 reference(kConfig,
                                  ParametersOf(WideWeights(kConfig, 1)));
    std::vector<int32_t> all = sequence.history;
    all.insert(all.end(), sequence.tokens.begin(), sequence.tokens.end());
    const ReferenceGpt2::Result result =
        reference.Run(all, [&](const HookPoint& at, int, Vector& residual) {
          if (at == HookPoint{HookKind::kResidPre, 1}) {
            residual[0] += sequence.push;
          }
        });
    return at::tensor(result.logits.back(), at::kDouble);
  }

  // Eight rows: prompts, prompt chunks and single tokens, half of them edited.
  static std::vector<Sequence> Mixed() {
    const int kLengths[][2] = {{0, 5},  {12, 1}, {0, 40}, {3, 1},
                               {20, 7}, {0, 1},  {50, 1}, {7, 13}};
    std::vector<Sequence> sequences;
    for (int i = 0; i < 8; ++i) {
      sequences.push_back(
          {.history = RandomTokens(kConfig, kLengths[i][0], 100 + i),
           .tokens = RandomTokens(kConfig, kLengths[i][1], 200 + i),
           .push = i % 2 == 0 ? 0 : 1.0 + i});
    }
    return sequences;
  }

  Gpt2 model_;
};

TEST_F(Gpt2Test, TokenByTokenEqualsWholePrompt) {
  const std::vector<int32_t> tokens = RandomTokens(kConfig, 30, 5);
  KvCache cache(kConfig.facts(), kSlots, at::kCPU);
  at::Tensor stepwise;
  for (int i = 0; i < 30; ++i) {
    const Sequence one = {.history = {tokens.begin(), tokens.begin() + i},
                          .tokens = {tokens[i]}};
    stepwise = model_.Forward(one.tokens, {Row(one, 0)}, cache, nullptr);
  }
  EXPECT_LT(MaxDifference(stepwise, Together({{.tokens = tokens}})),
            kTolerance);
}

TEST_F(Gpt2Test, BatchOfMixedRowsEqualsTheScalarReference) {
  const std::vector<Sequence> sequences = Mixed();
  const at::Tensor logits = Together(sequences);
  ASSERT_THAT(logits.sizes(), ElementsAre(8, kConfig.vocab_size));
  for (int i = 0; i < 8; ++i) {
    EXPECT_LT(MaxDifference(logits[i], ByReference(sequences[i])), kTolerance)
        << "row " << i;
  }
}

TEST_F(Gpt2Test, BatchOfMixedRowsEqualsEachRowAlone) {
  const std::vector<Sequence> sequences = Mixed();
  const at::Tensor logits = Together(sequences);
  for (int i = 0; i < 8; ++i) {
    EXPECT_LT(MaxDifference(logits[i], Together({sequences[i]})[0]), kTolerance)
        << "row " << i;
  }
}

TEST_F(Gpt2Test, OrderOfRowsDoesNotMatter) {
  std::vector<Sequence> sequences = Mixed();
  const at::Tensor logits = Together(sequences);
  std::reverse(sequences.begin(), sequences.end());
  EXPECT_LT(MaxDifference(Together(sequences).flip(0), logits), kTolerance);
}

TEST_F(Gpt2Test, RowsWithTheSameTokensGetTheSameBits) {
  std::vector<Sequence> sequences = Mixed();
  sequences.push_back(sequences[4]);
  const at::Tensor logits = Together(sequences);
  EXPECT_TRUE(at::equal(logits[4], logits[8]));
}

TEST_F(Gpt2Test, HookThatEditsNothingChangesNothing) {
  const Sequence sequence = {.tokens = RandomTokens(kConfig, 9, 4)};
  KvCache cache(kConfig.facts(), kSlots, at::kCPU);
  const at::Tensor bare =
      model_.Forward(sequence.tokens, {Row(sequence, 0)}, cache, nullptr);
  // Not the same bits: without a hook behind it, the last block runs for the
  // last position only.
  EXPECT_LT(MaxDifference(bare, Together({sequence})), kTolerance);
}

TEST_F(Gpt2Test, EditAtASiteReachesOnlyLaterPositionsAndSites) {
  const Sequence sequence = {.tokens = RandomTokens(kConfig, 9, 4)};
  const ReferenceGpt2 reference(kConfig, ParametersOf(WideWeights(kConfig, 1)));
  for (int edited = 0; edited <= kConfig.n_layer; ++edited) {
    std::vector<std::vector<Vector>> seen(kConfig.n_layer + 1);
    PositionHook hook(
        [&](int site, const PackedRow&, int position, at::Tensor residual) {
          if (site == edited && position == 4) residual[2] -= 1.5;
          const at::Tensor values = residual.to(at::kDouble);
          seen[site].emplace_back(values.data_ptr<double>(),
                                  values.data_ptr<double>() + kConfig.d_model);
        });
    KvCache cache(kConfig.facts(), kSlots, at::kCPU);
    model_.Forward(sequence.tokens, {Row(sequence, 0)}, cache, &hook);
    const ReferenceGpt2::Result expected = reference.Run(
        sequence.tokens,
        [&](const HookPoint& at, int position, Vector& residual) {
          if (at == HookPoint{HookKind::kResidPre, edited} && position == 4) {
            residual[2] -= 1.5;
          }
        });
    for (int site = 0; site <= kConfig.n_layer; ++site) {
      for (int position = 0; position < 9; ++position) {
        EXPECT_LT(MaxDifference(at::tensor(seen[site][position]),
                                at::tensor(expected.residuals[site][position])),
                  kTolerance)
            << "edit at " << edited << ", site " << site << ", position "
            << position;
      }
    }
  }
}

// Edits one position at one hook point and keeps what is at all of them.
class InsideHook : public ResidualHook {
 public:
  explicit InsideHook(HookPoint edited) : edited_(edited) {}

  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override {
    OnInside({HookKind::kResidPre, site}, rows, residual);
  }
  void OnInside(const HookPoint& hook, absl::Span<const PackedRow> rows,
                at::Tensor& part) override {
    if (hook.place() == edited_.place()) part[4][2] -= 1.5;
    order.push_back(hook.place());
    seen[hook] = part.to(at::kDouble);
  }
  bool WantsInside(int layer) const override { return true; }

  std::vector<int> order;                            // Of places.
  std::map<HookPoint, at::Tensor, PlaceOrder> seen;  // [T, D]

 private:
  const HookPoint edited_;
};

TEST_F(Gpt2Test, EveryPointInsideEveryBlockIsAsTheReferenceHasIt) {
  const Sequence sequence = {.tokens = RandomTokens(kConfig, 9, 4)};
  const ReferenceGpt2 reference(kConfig, ParametersOf(WideWeights(kConfig, 1)));
  for (int layer = 0; layer < kConfig.n_layer; ++layer) {
    for (HookKind kind : kHookKinds) {
      const HookPoint edited = {kind, layer};
      InsideHook hook(edited);
      KvCache cache(kConfig.facts(), kSlots, at::kCPU);
      const at::Tensor logits =
          model_.Forward(sequence.tokens, {Row(sequence, 0)}, cache, &hook);
      size_t checked = 0;
      const ReferenceGpt2::Result expected = reference.Run(
          sequence.tokens,
          [&](const HookPoint& at, int position, Vector& residual) {
            if (at.place() == edited.place() && position == 4) {
              residual[2] -= 1.5;
            }
            EXPECT_LT(
                MaxDifference(hook.seen.at(at)[position], at::tensor(residual)),
                kTolerance)
                << "edit at " << edited.ToString() << ", " << at.ToString();
            ++checked;
          });
      EXPECT_LT(MaxDifference(logits[0], at::tensor(expected.logits.back())),
                kTolerance);
      EXPECT_EQ(checked, 9 * hook.seen.size());
      EXPECT_EQ(hook.seen.size(), size_t{4} * kConfig.n_layer + 1);
      EXPECT_TRUE(std::is_sorted(hook.order.begin(), hook.order.end()));
    }
  }
}

TEST_F(Gpt2Test, RowThatLeavesEarlySawTheSameResidualAsOneThatStays) {
  const std::vector<Sequence> sequences = Mixed();
  std::vector<PackedRow> rows;
  std::vector<int32_t> tokens;
  for (int i = 0; i < 8; ++i) {
    if (!sequences[i].history.empty()) continue;
    rows.push_back(Row(sequences[i], i));
    tokens.insert(tokens.end(), sequences[i].tokens.begin(),
                  sequences[i].tokens.end());
  }
  CapturingHook stay, leave;
  KvCache cache(kConfig.facts(), kSlots, at::kCPU);
  model_.Forward(tokens, rows, cache, &stay);
  rows[0].logits = rows[2].logits = 0;
  rows[0].exit_site = 1;
  rows[2].exit_site = 0;
  KvCache other(kConfig.facts(), kSlots, at::kCPU);
  const at::Tensor logits = model_.Forward(tokens, rows, other, &leave);
  EXPECT_EQ(logits.size(0), 1);
  for (const PackedRow& row : rows) {
    for (int site = 0; site <= kConfig.n_layer; ++site) {
      const at::Tensor residual = leave.Residual(row.index, site);
      ASSERT_EQ(residual.defined(), site <= row.exit_site);
      if (!residual.defined()) continue;
      EXPECT_LT(MaxDifference(residual, stay.Residual(row.index, site)),
                kTolerance);
    }
  }
}

TEST_F(Gpt2Test, LogitsOfSeveralLastPositionsAreThoseOfThePrefixes) {
  const std::vector<Sequence> sequences = {
      {.tokens = RandomTokens(kConfig, 6, 4)},
      {.tokens = RandomTokens(kConfig, 3, 5)}};
  std::vector<int32_t> tokens;
  std::vector<PackedRow> rows;
  std::vector<Sequence> prefixes;  // Whose last logits are wanted.
  for (int i = 0; i < 2; ++i) {
    const std::vector<int32_t>& own = sequences[i].tokens;
    rows.push_back(Row(sequences[i], i));
    rows.back().logits = i == 0 ? 4 : 1;
    tokens.insert(tokens.end(), own.begin(), own.end());
    for (size_t n = own.size() - rows.back().logits; n < own.size(); ++n) {
      prefixes.push_back({.tokens = {own.begin(), own.begin() + n + 1}});
    }
  }
  CapturingHook hook;  // With one, the last block runs for all positions.
  for (ResidualHook* each : {static_cast<ResidualHook*>(nullptr),
                             static_cast<ResidualHook*>(&hook)}) {
    KvCache cache(kConfig.facts(), kSlots, at::kCPU);
    const at::Tensor logits = model_.Forward(tokens, rows, cache, each);
    ASSERT_EQ(logits.size(0), 5);
    for (int i = 0; i < 5; ++i) {
      EXPECT_LT(MaxDifference(logits[i], ByReference(prefixes[i])), kTolerance)
          << i;
    }
  }
}

TEST_F(Gpt2Test, StepOfReadoutsOnlyReturnsNoLogits) {
  const Sequence sequence = {.tokens = RandomTokens(kConfig, 6, 4)};
  for (int exit_site : {0, 1, kConfig.n_layer}) {
    PackedRow row = Row(sequence, 0);
    row.logits = 0;
    row.exit_site = exit_site;
    int last_site = -1;
    PositionHook hook([&](int site, const PackedRow&, int, const at::Tensor&) {
      last_site = site;
    });
    KvCache cache(kConfig.facts(), kSlots, at::kCPU);
    EXPECT_THAT(model_.Forward(sequence.tokens, {row}, cache, &hook).sizes(),
                ElementsAre(0, kConfig.vocab_size));
    EXPECT_EQ(last_site, exit_site);
  }
}

TEST_F(Gpt2Test, HookSeesOffsetsIndicesAndSlotsOfTheRowsThatAreLeft) {
  std::vector<std::vector<int>> seen;  // {site, index, slot, offset}
  PositionHook hook(
      [&](int site, const PackedRow& row, int position, const at::Tensor&) {
        if (position == row.start) {
          seen.push_back({site, row.index, row.kv_slot, row.offset});
        }
      });
  KvCache cache(kConfig.facts(), kSlots, at::kCPU);
  model_.Forward(RandomTokens(kConfig, 9, 1),
                 {{.index = 4, .kv_slot = 7, .length = 2, .exit_site = 1},
                  {.index = 9, .kv_slot = 3, .length = 7, .exit_site = 2}},
                 cache, &hook);
  EXPECT_THAT(seen,
              ElementsAre(ElementsAre(0, 4, 7, 0), ElementsAre(0, 9, 3, 2),
                          ElementsAre(1, 4, 7, 0), ElementsAre(1, 9, 3, 2),
                          ElementsAre(2, 9, 3, 0)));
}

TEST_F(Gpt2Test, EmptyStepReturnsNoLogits) {
  KvCache cache(kConfig.facts(), kSlots, at::kCPU);
  EXPECT_THAT(model_.Forward({}, {}, cache, nullptr).sizes(),
              ElementsAre(0, kConfig.vocab_size));
}

TEST_F(Gpt2Test, NeighbourThatBecomesNotFiniteDoesNotTouchMe) {
  for (const float poison : {std::numeric_limits<float>::quiet_NaN(),
                             std::numeric_limits<float>::infinity(), 1e38f}) {
    const std::vector<Sequence> sequences = Mixed();
    const at::Tensor clean = Together(sequences);
    // Odd rows are edited: all of them but row 1 as in `clean`.
    std::vector<Sequence> poisoned = sequences;
    poisoned[1].push = poison;
    const at::Tensor logits = Together(poisoned);
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(at::equal(logits[i], clean[i]), i != 1) << "row " << i;
    }
  }
}

TEST_F(Gpt2Test, SlotIsCleanAfterASequenceThatWasNotFinite) {
  const Sequence poison = {.tokens = RandomTokens(kConfig, 40, 1),
                           .push = std::numeric_limits<double>::quiet_NaN()};
  const Sequence shorter = {.tokens = RandomTokens(kConfig, 20, 2)};
  const Sequence longer = {.tokens = RandomTokens(kConfig, 35, 3)};
  const at::Tensor expected = Together({shorter, longer});
  KvCache cache(kConfig.facts(), kSlots, at::kCPU);
  const std::vector<Sequence> sequences = {poison};
  PositionHook hook = Pushing(sequences);
  const at::Tensor lost =
      model_.Forward(poison.tokens, {Row(poison, 0)}, cache, &hook);
  EXPECT_TRUE(at::isnan(lost).all().item<bool>());
  std::vector<int32_t> tokens = shorter.tokens;
  tokens.insert(tokens.end(), longer.tokens.begin(), longer.tokens.end());
  // The shorter one's keys are padded to the longer one's 35.
  const at::Tensor logits =
      model_.Forward(tokens, {Row(shorter, 0), Row(longer, 1)}, cache, nullptr);
  EXPECT_TRUE(at::equal(logits, expected));
}

TEST_F(Gpt2Test, SequenceThatWasNotFiniteStaysSo) {
  const std::vector<Sequence> sequences = {
      {.history = RandomTokens(kConfig, 5, 1),
       .tokens = RandomTokens(kConfig, 1, 2),
       .push = std::numeric_limits<double>::infinity()}};
  KvCache cache(kConfig.facts(), kSlots, at::kCPU);
  PositionHook hook = Pushing(sequences);
  PackedRow past = Row(sequences[0], 0);
  past.start = 0;
  past.length = 5;
  model_.Forward(sequences[0].history, {past}, cache, &hook);
  // No edit any more: only the cached past is to blame.
  const at::Tensor logits = model_.Forward(
      sequences[0].tokens, {Row(sequences[0], 0)}, cache, nullptr);
  EXPECT_TRUE(at::isnan(logits).all().item<bool>());
}

TEST_F(Gpt2Test, LongPromptEqualsTokenByToken) {
  Gpt2Config config = kConfig;
  constexpr int kLong = 256;
  config.n_layer = 2;
  config.context_length = 2 * kLong + 40;
  const Gpt2 model = TinyModel(config, 8);
  const int length = 2 * kLong + 17;
  const std::vector<int32_t> tokens = RandomTokens(config, length + 3, 5);
  KvCache cache(config.facts(), 2, at::kCPU),
      stepped(config.facts(), 2, at::kCPU);
  const PackedRow whole = {
      .kv_slot = 1, .length = length, .exit_site = 2, .logits = 1};
  // Beside it a short prompt, so that its tokens are not alone.
  const PackedRow other = {
      .kv_slot = 0, .length = 3, .exit_site = 2, .logits = 1};
  const at::Tensor logits =
      model.Forward(tokens, {whole, other}, cache, nullptr);
  at::Tensor last;
  for (int i = 0; i < length; ++i) {
    last = model.Forward(
        {&tokens[i], 1},
        {{.kv_slot = 0, .start = i, .length = 1, .exit_site = 2, .logits = 1}},
        stepped, nullptr);
  }
  EXPECT_LT(MaxDifference(logits[0], last[0]), kTolerance);
}

TEST_F(Gpt2Test, LogitsMayBeEditedInPlace) {
  at::Tensor logits = Together({{.tokens = RandomTokens(kConfig, 3, 1)}});
  logits[0][1] = 7;
  EXPECT_FALSE(logits.requires_grad());
  EXPECT_EQ(logits[0][1].item<float>(), 7);
}

TEST_F(Gpt2Test, DirectoryThatWasSavedLoadsAsTheSameModel) {
  const std::string directory = ::testing::TempDir();
  Gpt2Weights weights = WideWeights(kConfig, 1);
  ASSERT_OK(SaveGpt2(directory, kConfig, weights));
  ASSERT_OK_AND_ASSIGN(const Gpt2 loaded, Gpt2::Load(directory));
  const Sequence sequence = {.tokens = RandomTokens(kConfig, 6, 4)};
  KvCache cache(kConfig.facts(), kSlots, at::kCPU);
  const auto logits = [&](const Gpt2& model) {
    return model.Forward(sequence.tokens, {Row(sequence, 0)}, cache, nullptr);
  };
  EXPECT_TRUE(at::equal(logits(loaded), logits(model_)));
}

TEST_F(Gpt2Test, LoadSaysWhichFileOfADirectoryIsMissing) {
  EXPECT_THAT(Gpt2::Load("/nonexistent"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("/nonexistent/config.json")));
}

}  // namespace
}  // namespace alignsae
