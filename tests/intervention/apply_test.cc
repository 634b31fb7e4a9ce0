// The modes against the scalar double-precision reference, the promises
// of bit equality, receipts, and what is refused.

#include "model/intervention/apply.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"
#include "model/intervention/rules.h"
#include "tests/reference/sae_reference.h"
#include "tests/support/random_sae.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using Mode = InterventionMode;

constexpr int kWidth = 12;  // D
constexpr SaeActivation kActivations[] = {
    SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
    SaeActivation::kJumpRelu};
constexpr int kSlots[] = {7, 0, 19};  // Concepts of every SAE here.

// Float32 against double: residuals here have norms of up to a few hundred.
double Tolerance(const std::vector<double>& expected) {
  return 1e-5 * (1 + Norm(expected));
}

// A reference SAE and the one under test.
struct SaePair {
  ReferenceSae reference;
  Sae sae;
};

SaePair MakeSae(SaeActivation activation, double scale, uint64_t seed) {
  ReferenceSae reference = RandomReferenceSae(
      {.d_model = kWidth, .activation = activation, .scale = scale}, seed);
  Sae sae = SaeOf(reference);
  return {std::move(reference), std::move(sae)};
}

bool IsConcept(int slot) {
  return std::find(std::begin(kSlots), std::end(kSlots), slot) !=
         std::end(kSlots);
}

// Any intervention of `mode` that a whole SAE can run.
Intervention RandomIntervention(Mode mode, CounterRng& rng) {
  Intervention intervention;
  intervention.mode = mode;
  const auto slot = [&rng] {
    return rng.NextBelow(2) == 0 ? kSlots[rng.NextBelow(3)]
                                 : static_cast<int>(rng.NextBelow(20));
  };
  intervention.target_slot = slot();
  if (IsTwoSlotMode(mode) && rng.NextBelow(2) == 0) {
    do {
      intervention.source_slot = slot();
    } while (*intervention.source_slot == intervention.target_slot);
  }
  intervention.alpha = 4 * rng.NextUniform() - 1.5;
  // Free features have no mean to be a unit.
  if (!IsConcept(intervention.target_slot) || rng.NextBelow(2) == 0) {
    intervention.unit = AlphaUnit::kRaw;
  }
  return intervention;
}

// Edits of one call: row n of `residual` by the n-th intervention.
class Call {
 public:
  void Add(const SaePair& sae, const Intervention& intervention,
           const std::vector<double>& h) {
    EXPECT_OK(CheckApplicable(sae.sae, intervention));
    saes_.push_back(&sae);
    interventions_.push_back(intervention);
    before_.push_back(h);
  }

  // Applies all; `order` permutes the edits, not the rows.
  at::Tensor Apply(bool receipts = true, bool backwards = false,
                   at::Device device = at::kCPU) {
    std::vector<at::Tensor> rows;
    std::vector<ResidualEdit> edits;
    receipts_.assign(before_.size(), {});
    for (size_t n = 0; n < before_.size(); ++n) {
      rows.push_back(FloatTensor(before_[n], {kWidth}));
      edits.push_back({.row = static_cast<int64_t>(n),
                       .position = static_cast<int>(100 + n),
                       .sae = &saes_[n]->sae,
                       .intervention = &interventions_[n],
                       .receipt = receipts ? &receipts_[n] : nullptr});
    }
    if (backwards) std::reverse(edits.begin(), edits.end());
    at::Tensor residual = at::stack(rows).to(device);
    ApplyEdits(edits, residual);
    return residual;
  }

  void ExpectRowsOfReference(const at::Tensor& residual) const {
    for (size_t n = 0; n < before_.size(); ++n) {
      const std::vector<double> expected =
          ReferenceEdit(saes_[n]->reference, interventions_[n], before_[n]);
      const std::vector<double> actual =
          RowOf(residual, static_cast<int64_t>(n));
      for (int d = 0; d < kWidth; ++d) {
        ASSERT_NEAR(actual[d], expected[d], Tolerance(expected))
            << Describe(n) << ", dimension " << d;
      }
    }
  }

  void ExpectReceiptsOfReference() const {
    for (size_t n = 0; n < before_.size(); ++n) {
      SCOPED_TRACE(Describe(n));
      const ReferenceSae& sae = saes_[n]->reference;
      const Intervention& intervention = interventions_[n];
      const std::vector<double> after =
          ReferenceEdit(sae, intervention, before_[n]);
      std::vector<double> change = after;
      for (int d = 0; d < kWidth; ++d) change[d] -= before_[n][d];
      const std::vector<double> z = sae.Encode(before_[n]);
      const std::vector<double> z_after = sae.Encode(after);
      const std::optional<int> source =
          ReferenceSource(sae, intervention, before_[n]);

      ASSERT_EQ(receipts_[n].positions_applied, 1);
      ASSERT_THAT(receipts_[n].effects, SizeIs(1));
      const PositionEffect& effect = receipts_[n].effects[0];
      const double tolerance = Tolerance(after) * (1 + 1 / sae.config.scale);
      EXPECT_EQ(effect.position, static_cast<int>(100 + n));
      EXPECT_NEAR(effect.residual_norm, Norm(before_[n]), tolerance);
      EXPECT_NEAR(effect.change_norm, Norm(change), tolerance);
      EXPECT_EQ(effect.source_slot, source.value_or(-1));
      const int j = intervention.target_slot;
      EXPECT_NEAR(effect.target_before, z[j], tolerance);
      EXPECT_NEAR(effect.target_after, z_after[j], tolerance);
      EXPECT_NEAR(effect.source_before, source ? z[*source] : 0, tolerance);
      EXPECT_NEAR(effect.source_after, source ? z_after[*source] : 0,
                  tolerance);
    }
  }

  const InterventionReceipt& receipt(size_t n) const { return receipts_[n]; }
  size_t size() const { return before_.size(); }

 private:
  std::string Describe(size_t n) const {
    const Intervention& intervention = interventions_[n];
    return absl::StrCat(
        "row ", n, ", ", InterventionModeName(intervention.mode), ", ",
        SaeActivationName(saes_[n]->reference.config.activation), ", source ",
        intervention.source_slot.value_or(-1), ", target ",
        intervention.target_slot, ", alpha ", intervention.alpha);
  }

  std::vector<const SaePair*> saes_;
  std::deque<Intervention> interventions_;  // Stable addresses.
  std::vector<std::vector<double>> before_;
  std::vector<InterventionReceipt> receipts_;
};

// One call of 256 edits: every mode, four SAEs of different scales and
// activations, free slots and concepts, sources given and not, both units.
struct MixedCall {
  std::deque<SaePair> saes;
  Call call;

  MixedCall() {
    CounterRng rng(4);
    const double scales[] = {1, 0.3, 25, 7};
    for (int i = 0; i < 4; ++i) {
      saes.push_back(MakeSae(kActivations[i], scales[i], 50 + i));
    }
    for (int n = 0; n < 256; ++n) {
      const SaePair& sae = saes[rng.NextBelow(4)];
      call.Add(sae,
               RandomIntervention(kInterventionModes[rng.NextBelow(7)], rng),
               RandomResidual(kWidth, 3 * sae.reference.config.scale, n));
    }
  }
};

class ModeTest
    : public ::testing::TestWithParam<std::tuple<Mode, SaeActivation>> {};

TEST_P(ModeTest, AgreesWithTheScalarReference) {
  const auto& [mode, activation] = GetParam();
  for (double scale : {1.0, 0.3, 25.0}) {
    const SaePair sae = MakeSae(activation, scale, 31);
    CounterRng rng(7);
    Call call;
    for (int n = 0; n < 60; ++n) {
      call.Add(sae, RandomIntervention(mode, rng),
               RandomResidual(kWidth, 3 * scale, n));
    }
    call.ExpectRowsOfReference(call.Apply());
    call.ExpectReceiptsOfReference();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Every, ModeTest,
    ::testing::Combine(::testing::ValuesIn(kInterventionModes),
                       ::testing::ValuesIn(kActivations)),
    [](const auto& test) {
      return absl::StrCat(InterventionModeName(std::get<0>(test.param)), "_",
                          SaeActivationName(std::get<1>(test.param)));
    });

TEST(ApplyEditsTest, OneCallRunsEditsOfEveryKind) {
  MixedCall mixed;
  const at::Tensor residual = mixed.call.Apply();
  mixed.call.ExpectRowsOfReference(residual);
  mixed.call.ExpectReceiptsOfReference();
}

TEST(ApplyEditsTest, OrderOfTheEditsOfACallDoesNotMatter) {
  MixedCall mixed;
  const at::Tensor forwards = mixed.call.Apply();
  const at::Tensor backwards = mixed.call.Apply(true, /*backwards=*/true);
  EXPECT_TRUE(at::allclose(forwards, backwards, 1e-6, 1e-5));
  mixed.call.ExpectReceiptsOfReference();
}

TEST(ApplyEditsTest, ReceiptsDoNotChangeTheEdit) {
  MixedCall mixed;
  EXPECT_TRUE(at::equal(mixed.call.Apply(/*receipts=*/true),
                        mixed.call.Apply(/*receipts=*/false)));
}

TEST(ApplyEditsTest, RowsThatNoEditNamesKeepTheirBits) {
  const SaePair sae = MakeSae(SaeActivation::kRelu, 2, 1);
  at::Tensor residual =
      FloatTensor(RandomResidual(4 * kWidth, 3, 9), {4, kWidth});
  const at::Tensor before = residual.clone();
  const Intervention swap = MakeIntervention(Mode::kSwap, 7, 0);
  ApplyEdits({{.row = 2, .sae = &sae.sae, .intervention = &swap}}, residual);
  EXPECT_FALSE(at::equal(residual[2], before[2]));
  residual[2] = before[2];
  EXPECT_TRUE(at::equal(residual, before));
}

TEST(ApplyEditsTest, NoEditsAreFine) {
  at::Tensor residual = at::ones({2, kWidth});
  ApplyEdits({}, residual);
  EXPECT_TRUE(at::equal(residual, at::ones({2, kWidth})));
}

// The bits of a float tensor; unlike at::equal it tells -0 from 0.
std::vector<int32_t> Bits(const at::Tensor& tensor) {
  const at::Tensor bits = tensor.contiguous().view(at::kInt);
  return {bits.data_ptr<int32_t>(), bits.data_ptr<int32_t>() + bits.numel()};
}

TEST(ApplyEditsTest, NeutralAlphaLeavesEveryBit) {
  const SaePair sae = MakeSae(SaeActivation::kRelu, 3, 2);
  for (const auto& [mode, alpha] :
       {std::pair(Mode::kAdd, 0.0), std::pair(Mode::kAdd, -0.0),
        std::pair(Mode::kAddNormMatched, 0.0),
        std::pair(Mode::kMultiply, 1.0)}) {
    // Concept and free slot.
    for (int slot : {7, 3}) {
      const Intervention neutral = MakeIntervention(mode, slot, {}, alpha);
      const Intervention other = MakeIntervention(mode, slot, {}, 2);
      at::Tensor residual =
          FloatTensor(RandomResidual(3 * kWidth, 3, 9), {3, kWidth});
      residual[1][0] = -0.0f;
      residual[1][1] = std::numeric_limits<float>::denorm_min();
      const std::vector<int32_t> before = Bits(residual[1]);
      InterventionReceipt receipt;
      ApplyEdits({{.row = 0, .sae = &sae.sae, .intervention = &other},
                  {.row = 1,
                   .position = 5,
                   .sae = &sae.sae,
                   .intervention = &neutral,
                   .receipt = &receipt}},
                 residual);
      EXPECT_EQ(Bits(residual[1]), before) << InterventionModeName(mode);
      EXPECT_EQ(receipt.positions_applied, 1);
      ASSERT_THAT(receipt.effects, SizeIs(1));
      EXPECT_EQ(receipt.effects[0].change_norm, 0);
      EXPECT_EQ(receipt.effects[0].target_before,
                receipt.effects[0].target_after);
    }
  }
}

// One row through one intervention.
std::vector<double> EditOne(const Sae& sae, const Intervention& intervention,
                            const std::vector<double>& h,
                            InterventionReceipt* receipt = nullptr) {
  at::Tensor residual = FloatTensor(h, {1, kWidth});
  ApplyEdits({{.row = 0,
               .sae = &sae,
               .intervention = &intervention,
               .receipt = receipt}},
             residual);
  return RowOf(residual, 0);
}

TEST(ApplyEditsTest, SwapAtAlphaZeroAblatesBothSlots) {
  // Of one and the same residual: each ABLATE reads its slot from h. (Applied
  // one after the other, the second ABLATE would see what the first changed.)
  const SaePair sae = MakeSae(SaeActivation::kRelu, 3, 2);
  const Intervention swap = MakeIntervention(Mode::kSwap, 7, 19, 0);
  const Intervention ablate_target = MakeIntervention(Mode::kAblate, 7);
  const Intervention ablate_source = MakeIntervention(Mode::kAblate, 19);
  for (int n = 0; n < 20; ++n) {
    const std::vector<double> h = RandomResidual(kWidth, 9, n);
    const std::vector<double> swapped = EditOne(sae.sae, swap, h);
    const std::vector<double> a = EditOne(sae.sae, ablate_target, h);
    const std::vector<double> b = EditOne(sae.sae, ablate_source, h);
    for (int d = 0; d < kWidth; ++d) {
      EXPECT_NEAR(swapped[d], a[d] + b[d] - h[d], 1e-5 * (1 + Norm(h)));
    }
  }
}

TEST(ApplyEditsTest, AblatingOneAfterTheOtherIsSwapAtZeroForSeparateSlots) {
  // Slots that do not read what the other writes: axis-aligned.
  ReferenceSae reference = MakeSae(SaeActivation::kRelu, 2, 3).reference;
  for (int d = 0; d < kWidth; ++d) {
    for (int slot : {7, 19}) {
      const double value = d == slot / 4 ? 1 : 0;
      reference.w_enc[d * reference.config.n_features + slot] = value;
      reference.w_dec[slot * kWidth + d] = value;
    }
  }
  const Sae sae = SaeOf(reference);
  const std::vector<double> h = RandomResidual(kWidth, 9, 6);
  const std::vector<double> one =
      EditOne(sae, MakeIntervention(Mode::kAblate, 19), h);
  const std::vector<double> both =
      EditOne(sae, MakeIntervention(Mode::kAblate, 7), one);
  const std::vector<double> swapped =
      EditOne(sae, MakeIntervention(Mode::kSwap, 7, 19, 0), h);
  for (int d = 0; d < kWidth; ++d) EXPECT_NEAR(both[d], swapped[d], 1e-5);
}

TEST(ApplyEditsTest, DefaultSourceThatIsTheTargetClearsNothing) {
  for (Mode mode : {Mode::kSwap, Mode::kReplace}) {
    const SaePair sae = MakeSae(SaeActivation::kRelu, 1, 5);
    const std::vector<double> h = RandomResidual(kWidth, 3, 1);
    const int top = sae.reference.TopConcept(h);
    const Intervention intervention = MakeIntervention(mode, top, {}, 1.5);
    InterventionReceipt receipt;
    const std::vector<double> edited =
        EditOne(sae.sae, intervention, h, &receipt);
    const std::vector<double> expected = ReferenceEdit(
        sae.reference,
        mode == Mode::kReplace ? intervention
                               : MakeIntervention(Mode::kSet, top, {}, 1.5),
        h);
    for (int d = 0; d < kWidth; ++d) EXPECT_NEAR(edited[d], expected[d], 1e-5);
    ASSERT_THAT(receipt.effects, SizeIs(1));
    EXPECT_EQ(receipt.effects[0].source_slot, -1);
    EXPECT_EQ(receipt.effects[0].source_before, 0);
    EXPECT_EQ(receipt.effects[0].source_after, 0);
  }
}

TEST(ApplyEditsTest, LaterInterventionReadsWhatTheEarlierLeft) {
  const SaePair sae = MakeSae(SaeActivation::kIdentity, 2, 8);
  const Intervention set =
      MakeIntervention(Mode::kSet, 7, {}, 3, AlphaUnit::kRaw);
  const Intervention doubled = MakeIntervention(Mode::kMultiply, 7, {}, 2);
  const std::vector<double> h = RandomResidual(kWidth, 6, 1);
  const std::vector<double> actual =
      EditOne(sae.sae, doubled, EditOne(sae.sae, set, h));
  const std::vector<double> expected = ReferenceEdit(
      sae.reference, doubled, ReferenceEdit(sae.reference, set, h));
  for (int d = 0; d < kWidth; ++d) {
    EXPECT_NEAR(actual[d], expected[d], Tolerance(expected));
  }
}

TEST(ApplyEditsTest, TinyDirectionIsMatchedToTheNorm) {
  ReferenceSae reference = MakeSae(SaeActivation::kRelu, 1, 5).reference;
  for (int d = 0; d < kWidth; ++d) reference.w_dec[7 * kWidth + d] = 1e-30;
  const Sae sae = SaeOf(reference);
  const Intervention add = MakeIntervention(Mode::kAddNormMatched, 7, {}, 2);
  InterventionReceipt receipt;
  const std::vector<double> h = RandomResidual(kWidth, 3, 1);
  EditOne(sae, add, h, &receipt);
  EXPECT_NEAR(receipt.effects[0].change_norm, 2 * Norm(h), 1e-4);
}

TEST(ApplyEditsTest, OverflowStaysInItsOwnRow) {
  const SaePair sae = MakeSae(SaeActivation::kRelu, 3, 5);
  for (Mode mode : kInterventionModes) {
    const Intervention absurd = MakeIntervention(mode, 7, {}, 1e308);
    const Intervention modest = MakeIntervention(mode, 7, {}, 1.5);
    at::Tensor residual =
        FloatTensor(RandomResidual(3 * kWidth, 3, 9), {3, kWidth});
    const std::vector<double> h = RowOf(residual, 1);
    InterventionReceipt receipt;
    ApplyEdits({{.row = 0,
                 .sae = &sae.sae,
                 .intervention = &absurd,
                 .receipt = &receipt},
                {.row = 1, .sae = &sae.sae, .intervention = &modest},
                {.row = 2, .sae = &sae.sae, .intervention = &absurd}},
               residual);
    const std::vector<double> expected =
        ReferenceEdit(sae.reference, modest, h);
    const std::vector<double> actual = RowOf(residual, 1);
    for (int d = 0; d < kWidth; ++d) {
      EXPECT_NEAR(actual[d], expected[d], 1e-4) << InterventionModeName(mode);
    }
    EXPECT_EQ(receipt.positions_applied, 1);
  }
}

TEST(ApplyEditsTest, NanInARowStaysInItsOwnRow) {
  const SaePair sae = MakeSae(SaeActivation::kTopK, 3, 5);
  const Intervention swap = MakeIntervention(Mode::kSwap, 7);
  at::Tensor residual =
      FloatTensor(RandomResidual(2 * kWidth, 3, 9), {2, kWidth});
  residual[0].fill_(std::numeric_limits<float>::quiet_NaN());
  const std::vector<double> h = RowOf(residual, 1);
  ApplyEdits({{.row = 0, .sae = &sae.sae, .intervention = &swap},
              {.row = 1, .sae = &sae.sae, .intervention = &swap}},
             residual);
  const std::vector<double> expected = ReferenceEdit(sae.reference, swap, h);
  const std::vector<double> actual = RowOf(residual, 1);
  for (int d = 0; d < kWidth; ++d) EXPECT_NEAR(actual[d], expected[d], 1e-4);
}

TEST(ApplyEditsTest, NarrowerResidualIsComputedInFloat32) {
  const SaePair sae = MakeSae(SaeActivation::kRelu, 1, 5);
  const Intervention swap = MakeIntervention(Mode::kSwap, 7);
  const at::Tensor before =
      FloatTensor(RandomResidual(kWidth, 3, 9), {1, kWidth}).to(at::kBFloat16);
  at::Tensor residual = before.clone();
  InterventionReceipt receipt;
  ApplyEdits(
      {{.row = 0, .sae = &sae.sae, .intervention = &swap, .receipt = &receipt}},
      residual);
  at::Tensor expected = before.to(at::kFloat);
  ApplyEdits({{.row = 0, .sae = &sae.sae, .intervention = &swap}}, expected);
  EXPECT_EQ(residual.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(residual, expected.to(at::kBFloat16)));
  // The receipt tells what was stored.
  EXPECT_NEAR(
      receipt.effects[0].change_norm,
      (residual.to(at::kDouble) - before.to(at::kDouble)).norm().item<double>(),
      1e-5);
}

TEST(ApplyEditsTest, ReceiptListsTheFirst32PositionsAndCountsAll) {
  const SaePair sae = MakeSae(SaeActivation::kRelu, 1, 5);
  const Intervention ablate = MakeIntervention(Mode::kAblate, 7);
  InterventionReceipt receipt;
  for (int call = 0; call < 3; ++call) {
    at::Tensor residual =
        FloatTensor(RandomResidual(20 * kWidth, 3, call), {20, kWidth});
    std::vector<ResidualEdit> edits;
    for (int n = 0; n < 20; ++n) {
      edits.push_back({.row = n,
                       .position = 20 * call + n,
                       .sae = &sae.sae,
                       .intervention = &ablate,
                       .receipt = &receipt});
    }
    const at::Tensor before = residual.clone();
    ApplyEdits(edits, residual);
    if (call == 1) {  // The receipt fills up in the middle of this call.
      EXPECT_NEAR(receipt.effects[31].residual_norm, Norm(RowOf(before, 11)),
                  1e-4);
      EXPECT_NEAR(receipt.effects[31].target_before,
                  sae.reference.Encode(RowOf(before, 11))[7], 1e-4);
    }
  }
  EXPECT_EQ(receipt.positions_applied, 60);
  ASSERT_THAT(receipt.effects, SizeIs(kMaxReceiptPositions));
  for (int i = 0; i < 32; ++i) EXPECT_EQ(receipt.effects[i].position, i);
}

TEST(ApplyEditsTest, RunsOnTheDeviceOfTheResidual) {
  if (!at::hasCUDA()) GTEST_SKIP() << "this LibTorch has no CUDA";
  MixedCall mixed;
  std::deque<SaePair> on_cpu;
  for (SaePair& pair : mixed.saes) {
    SaeWeights weights = pair.sae.weights();
    for (at::Tensor* tensor : {&weights.w_enc, &weights.b_enc, &weights.w_dec,
                               &weights.b_dec, &weights.threshold}) {
      if (tensor->defined()) *tensor = tensor->to(at::kCUDA);
    }
    pair.sae = Sae::FromWeights(pair.reference.config, weights).value();
  }
  const at::Tensor residual = mixed.call.Apply(true, false, at::kCUDA);
  EXPECT_TRUE(residual.is_cuda());
  mixed.call.ExpectRowsOfReference(residual);
  mixed.call.ExpectReceiptsOfReference();
}

}  // namespace
}  // namespace alignsae
