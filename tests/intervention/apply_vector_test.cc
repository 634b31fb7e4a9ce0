// Edits along vectors of the caller's own, and beside edits of slots.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "model/intervention/apply.h"
#include "tests/reference/sae_reference.h"
#include "tests/support/random_sae.h"

namespace alignsae {
namespace {

using Mode = InterventionMode;

constexpr int kVectorWidth = 12;  // D
constexpr Mode kModes[] = {Mode::kAdd, Mode::kAddNormMatched,
                           Mode::kProjectOut};

Intervention Along(const std::vector<double>& direction, Mode mode,
                   double alpha) {
  Intervention edit;
  edit.checkpoint = -1;
  edit.mode = mode;
  edit.alpha = alpha;
  edit.vector = std::make_shared<const SteeringVector>(SteeringVector{
      {HookKind::kResidPre, 0}, {direction.begin(), direction.end()}});
  return edit;
}

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

std::vector<double> RowOf(const at::Tensor& residual, int64_t row) {
  const at::Tensor values = residual[row].to(at::kDouble).contiguous();
  const double* data = values.data_ptr<double>();
  return {data, data + values.numel()};
}

TEST(VectorEditTest, EveryRowHasItsOwnVectorModeAndAlpha) {
  std::vector<std::vector<double>> before;
  std::vector<Intervention> interventions;
  for (int n = 0; n < 12; ++n) {
    before.push_back(RandomResidual(kVectorWidth, 5, 10 + n));
    interventions.push_back(Along(RandomResidual(kVectorWidth, 2, 50 + n),
                                  kModes[n % 3], 0.5 * n - 2));
  }
  std::vector<InterventionReceipt> receipts(12);
  std::vector<ResidualEdit> edits;
  at::Tensor residual = at::empty({12, kVectorWidth});
  for (int n = 0; n < 12; ++n) {
    residual[n] = FloatTensor(before[n], {kVectorWidth});
    edits.push_back({.row = n,
                     .position = 100 + n,
                     .intervention = &interventions[n],
                     .receipt = &receipts[n]});
  }
  ApplyEdits(edits, residual);
  for (int n = 0; n < 12; ++n) {
    const std::vector<double> expected =
        ReferenceVectorEdit(interventions[n], before[n]);
    const std::vector<double> actual = RowOf(residual, n);
    std::vector<double> change = expected;
    for (int d = 0; d < kVectorWidth; ++d) {
      EXPECT_NEAR(actual[d], expected[d], 1e-4) << n << ", " << d;
      change[d] -= before[n][d];
    }
    const std::vector<float>& v = interventions[n].vector->values;
    const std::vector<double> direction(v.begin(), v.end());
    ASSERT_EQ(receipts[n].positions_applied, 1);
    const PositionEffect& effect = receipts[n].effects[0];
    EXPECT_EQ(effect.position, 100 + n);
    EXPECT_EQ(effect.source_slot, -1);
    EXPECT_NEAR(effect.residual_norm, Norm(before[n]), 1e-4);
    EXPECT_NEAR(effect.change_norm, Norm(change), 1e-4);
    EXPECT_NEAR(effect.target_before,
                Dot(before[n], direction) / Norm(direction), 1e-4);
    EXPECT_NEAR(effect.target_after, Dot(expected, direction) / Norm(direction),
                1e-4);
    if (interventions[n].mode == Mode::kProjectOut) {
      EXPECT_NEAR(effect.target_after, 0, 1e-5);
    }
  }
}

TEST(VectorEditTest, AnSaesOwnDirectionDoesWhatItsSlotDoes) {
  const ReferenceSae reference =
      RandomReferenceSae({.d_model = kVectorWidth, .scale = 2.5}, 3);
  const Sae sae = SaeOf(reference);
  const std::vector<double> d_j(reference.w_dec.begin() + 7 * kVectorWidth,
                                reference.w_dec.begin() + 8 * kVectorWidth);
  const at::Tensor before =
      FloatTensor(RandomResidual(2 * kVectorWidth, 5, 1), {2, kVectorWidth});
  for (Mode mode : kModes) {
    Intervention slot;
    slot.mode = mode;
    slot.target_slot = 7;
    slot.alpha = 1.25;
    // ADD of a slot is in units of the scale.
    const Intervention own =
        Along(d_j, mode, mode == Mode::kAdd ? 2.5 * 1.25 : 1.25);
    at::Tensor by_slot = before.clone();
    at::Tensor by_vector = before.clone();
    ApplyEdits({{.row = 0, .sae = &sae, .intervention = &slot}}, by_slot);
    ApplyEdits({{.row = 0, .intervention = &own}}, by_vector);
    EXPECT_LT((by_slot - by_vector).abs().max().item<double>(), 1e-5);
    EXPECT_GT((by_slot - before)[0].abs().max().item<double>(), 1e-2);
    EXPECT_TRUE(at::equal(by_vector[1], before[1]));
    // Of one call, in one order or the other.
    at::Tensor both = before.clone();
    ApplyEdits({{.row = 1, .intervention = &own},
                {.row = 0, .sae = &sae, .intervention = &slot}},
               both);
    EXPECT_TRUE(at::equal(both[0], by_slot[0]));
  }
}

TEST(VectorEditTest, AlphaZeroLeavesEveryBit) {
  const at::Tensor before =
      FloatTensor(RandomResidual(kVectorWidth, 5, 1), {1, kVectorWidth});
  for (Mode mode : {Mode::kAdd, Mode::kAddNormMatched}) {
    const Intervention nothing =
        Along(RandomResidual(kVectorWidth, 2, 4), mode, 0);
    at::Tensor residual = before.clone();
    InterventionReceipt receipt;
    ApplyEdits({{.intervention = &nothing, .receipt = &receipt}}, residual);
    EXPECT_TRUE(at::equal(residual, before));
    EXPECT_EQ(receipt.positions_applied, 1);
    EXPECT_EQ(receipt.effects[0].change_norm, 0);
  }
}

}  // namespace
}  // namespace alignsae
