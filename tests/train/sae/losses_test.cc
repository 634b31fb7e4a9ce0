// Every loss term against a plain scalar reference in double precision, with
// gradients by central differences.

#include "model/train/sae/losses.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "model/base/counter_rng.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

using Matrix = std::vector<std::vector<double>>;

constexpr int kRows = 7;
constexpr int kConcepts = 3;
constexpr int kFree = 5;

Matrix RandomMatrix(int rows, int columns, uint64_t seed) {
  CounterRng rng(seed);
  Matrix matrix(rows, std::vector<double>(columns));
  for (auto& row : matrix) {
    for (double& value : row) value = 2 * rng.NextUniform() - 1;
  }
  return matrix;
}

at::Tensor ToTensor(const Matrix& matrix) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(matrix.size()),
                                 static_cast<int64_t>(matrix[0].size())},
                                at::kDouble);
  for (size_t i = 0; i < matrix.size(); ++i) {
    for (size_t j = 0; j < matrix[i].size(); ++j) {
      tensor[i][j] = matrix[i][j];
    }
  }
  return tensor;
}

double CrossEntropy(const std::vector<double>& logits, int64_t label) {
  double sum = 0;
  for (double logit : logits) sum += std::exp(logit);
  return std::log(sum) - logits[label];
}

double Mean(const Matrix& m, int column) {
  double sum = 0;
  for (const auto& row : m) sum += row[column];
  return sum / m.size();
}

double Covariance(const Matrix& a, int i, const Matrix& b, int j) {
  double sum = 0;
  for (size_t n = 0; n < a.size(); ++n) {
    sum += (a[n][i] - Mean(a, i)) * (b[n][j] - Mean(b, j));
  }
  return sum / a.size();
}

// d loss / d input of `loss` by autograd against central differences.
void ExpectGradientMatches(
    const std::function<at::Tensor(const at::Tensor&)>& loss,
    const Matrix& input) {
  at::Tensor x = ToTensor(input).requires_grad_(true);
  loss(x).backward();
  constexpr double kStep = 1e-6;
  for (size_t i = 0; i < input.size(); ++i) {
    for (size_t j = 0; j < input[i].size(); ++j) {
      Matrix up = input, down = input;
      up[i][j] += kStep;
      down[i][j] -= kStep;
      const double expected =
          (loss(ToTensor(up)) - loss(ToTensor(down))).item<double>() /
          (2 * kStep);
      EXPECT_NEAR(x.grad()[i][j].item<double>(), expected, 1e-6)
          << "at [" << i << ", " << j << "]";
    }
  }
}

TEST(SaeLossesTest, ReconIsTheMeanOverRowsOfTheSummedSquaredError) {
  const Matrix x = RandomMatrix(kRows, 4, 1), x_hat = RandomMatrix(kRows, 4, 2);
  double expected = 0;
  for (int n = 0; n < kRows; ++n) {
    for (int d = 0; d < 4; ++d) {
      expected += std::pow(x_hat[n][d] - x[n][d], 2) / kRows;
    }
  }
  const at::Tensor target = ToTensor(x);
  EXPECT_NEAR(ReconLoss(target, ToTensor(x_hat)).item<double>(), expected,
              1e-12);
  ExpectGradientMatches(
      [&](const at::Tensor& v) { return ReconLoss(target, v); }, x_hat);
}

TEST(SaeLossesTest, WriteIsOneLessTheMeanCosineWithTheClassMeans) {
  constexpr int kWidth = 4;
  const Matrix directions = RandomMatrix(kConcepts, kWidth, 18);
  const Matrix differences = RandomMatrix(kConcepts, kWidth, 19);
  double cosines = 0;
  for (int r = 0; r < kConcepts; ++r) {
    double dot = 0, a = 0, b = 0;
    for (int d = 0; d < kWidth; ++d) {
      dot += directions[r][d] * differences[r][d];
      a += directions[r][d] * directions[r][d];
      b += differences[r][d] * differences[r][d];
    }
    cosines += dot / std::sqrt(a * b);
  }
  const at::Tensor dt = ToTensor(differences);
  EXPECT_NEAR(WriteLoss(ToTensor(directions), dt).item<double>(),
              1 - cosines / kConcepts, 1e-12);
  ExpectGradientMatches([&](const at::Tensor& v) { return WriteLoss(v, dt); },
                        directions);
}

TEST(SaeLossesTest, PrefixIsTheErrorOfWhatTheSlotsAloneReconstruct) {
  constexpr int kWidth = 4;
  const Matrix x = RandomMatrix(kRows, kWidth, 14);
  const Matrix z = RandomMatrix(kRows, kConcepts, 15);
  const Matrix directions = RandomMatrix(kConcepts, kWidth, 16);
  const Matrix b_dec = RandomMatrix(1, kWidth, 17);
  double expected = 0;
  for (int n = 0; n < kRows; ++n) {
    for (int d = 0; d < kWidth; ++d) {
      double written = b_dec[0][d];
      for (int r = 0; r < kConcepts; ++r) written += z[n][r] * directions[r][d];
      expected += std::pow(written - x[n][d], 2) / kRows;
    }
  }
  const at::Tensor xt = ToTensor(x), zt = ToTensor(z),
                   wt = ToTensor(directions);
  const at::Tensor bt = ToTensor(b_dec)[0];
  EXPECT_NEAR(PrefixLoss(xt, zt, wt, bt).item<double>(), expected, 1e-12);
  ExpectGradientMatches(
      [&](const at::Tensor& v) { return PrefixLoss(xt, v, wt, bt); }, z);
  ExpectGradientMatches(
      [&](const at::Tensor& v) { return PrefixLoss(xt, zt, v, bt); },
      directions);
}

TEST(SaeLossesTest, SparseIsTheMeanOverRowsOfTheL1Norm) {
  const Matrix z = RandomMatrix(kRows, kFree, 3);
  double sum = 0;
  for (const auto& row : z) {
    for (double value : row) sum += std::abs(value) / kRows;
  }
  for (const auto& [form, expected] :
       {std::pair(SparseForm::kSum, sum),
        std::pair(SparseForm::kMean, sum / kFree)}) {
    const auto loss = [form = form](const at::Tensor& v) {
      return SparseLoss(v, form);
    };
    EXPECT_NEAR(loss(ToTensor(z)).item<double>(), expected, 1e-12);
    ExpectGradientMatches(loss, z);
  }
}

// So that half a value and twice its decoder row cost the same.
TEST(SaeLossesTest, SparseByDecoderNormsWeighsEachFeature) {
  const Matrix z = RandomMatrix(kRows, kFree, 3);
  const Matrix norms = RandomMatrix(1, kFree, 4);
  double expected = 0;
  for (const auto& row : z) {
    for (int k = 0; k < kFree; ++k) {
      expected += std::abs(row[k]) * norms[0][k] / kRows;
    }
  }
  const at::Tensor weights = ToTensor(norms)[0];
  EXPECT_NEAR(SparseLoss(ToTensor(z), SparseForm::kSum, weights).item<double>(),
              expected, 1e-12);
  ExpectGradientMatches(
      [&](const at::Tensor& v) {
        return SparseLoss(v, SparseForm::kSum, weights);
      },
      z);
  ExpectGradientMatches(
      [&](const at::Tensor& v) {
        return SparseLoss(ToTensor(z), SparseForm::kSum, v[0]);
      },
      norms);
}

TEST(SaeLossesTest, ReconMayAverageOverTheWidth) {
  constexpr int kWidth = 4;
  const at::Tensor x = ToTensor(RandomMatrix(kRows, kWidth, 1));
  const at::Tensor x_hat = ToTensor(RandomMatrix(kRows, kWidth, 2));
  EXPECT_NEAR(ReconLoss(x, x_hat, ReconForm::kMean).item<double>() * kWidth,
              ReconLoss(x, x_hat).item<double>(), 1e-12);
}

// Of features 0, 2 and 3, which are dead, the two with the largest
// pre-activations explain what is left.
TEST(SaeLossesTest, AuxIsTheErrorThatDeadFeaturesLeaveOfTheError) {
  constexpr int kWidth = 4;
  const Matrix x = RandomMatrix(kRows, kWidth, 1);
  const Matrix x_hat = RandomMatrix(kRows, kWidth, 2);
  const Matrix pre = RandomMatrix(kRows, kFree, 3);
  const Matrix directions = RandomMatrix(kFree, kWidth, 4);
  const std::vector<int> dead = {0, 2, 3};
  at::Tensor mask = at::zeros({kFree}, at::TensorOptions(at::kBool));
  for (int k : dead) mask[k] = true;
  double expected = 0;
  for (int n = 0; n < kRows; ++n) {
    std::vector<int> kept = dead;
    std::sort(kept.begin(), kept.end(),
              [&](int a, int b) { return pre[n][a] > pre[n][b]; });
    kept.resize(2);
    for (int d = 0; d < kWidth; ++d) {
      double left = x[n][d] - x_hat[n][d];
      for (int k : kept) left -= std::max(0.0, pre[n][k]) * directions[k][d];
      expected += left * left / kRows;
    }
  }
  const auto aux = [&](const at::Tensor& p, const at::Tensor& w) {
    return AuxLoss(ToTensor(x), ToTensor(x_hat), p, mask, w, 2);
  };
  EXPECT_NEAR(aux(ToTensor(pre), ToTensor(directions)).item<double>(), expected,
              1e-12);
  ExpectGradientMatches(
      [&](const at::Tensor& v) { return aux(v, ToTensor(directions)); }, pre);
  ExpectGradientMatches(
      [&](const at::Tensor& v) { return aux(ToTensor(pre), v); }, directions);
  EXPECT_EQ(AuxLoss(ToTensor(x), ToTensor(x_hat), ToTensor(pre),
                    at::zeros_like(mask), ToTensor(directions), 2)
                .item<double>(),
            0);
  // The reconstruction itself gets no gradient: the others have done their
  // part.
  at::Tensor hat = ToTensor(x_hat).requires_grad_(true);
  at::Tensor p = ToTensor(pre).requires_grad_(true);
  AuxLoss(ToTensor(x), hat, p, mask, ToTensor(directions), 2).backward();
  EXPECT_FALSE(hat.grad().defined());
}

double SquaredErrorToOneHot(const std::vector<double>& slots, int64_t label) {
  double sum = 0;
  for (size_t r = 0; r < slots.size(); ++r) {
    sum += std::pow(slots[r] - (static_cast<int64_t>(r) == label ? 1 : 0), 2);
  }
  return sum / static_cast<double>(slots.size());
}

// Also with rows that ask for no concept, and with nothing but those.
TEST(SaeLossesTest, AlignIsTheDistanceOfTheSlotsFromTheConceptAsked) {
  const Matrix slots = RandomMatrix(kRows, kConcepts, 4);
  const std::vector<std::vector<int64_t>> cases = {
      {0, 2, 1, 1, 0, 2, 2},
      {0, -1, 1, -1, 0, 2, -1},
      {-1, -1, -1, -1, -1, -1, -1}};
  for (AlignForm form : {AlignForm::kCrossEntropy, AlignForm::kOneHot}) {
    for (const std::vector<int64_t>& labels : cases) {
      double expected = 0;
      for (int n = 0; n < kRows; ++n) {
        if (labels[n] < 0) continue;
        expected += (form == AlignForm::kOneHot
                         ? SquaredErrorToOneHot(slots[n], labels[n])
                         : CrossEntropy(slots[n], labels[n])) /
                    kRows;
      }
      const auto loss = [&](const at::Tensor& v) {
        return AlignLoss(v, at::tensor(labels, at::kLong), form);
      };
      EXPECT_NEAR(loss(ToTensor(slots)).item<double>(), expected, 1e-12);
      ExpectGradientMatches(loss, slots);
    }
  }
}

double BinaryCrossEntropy(double logit, bool present) {
  return std::log1p(std::exp(present ? -logit : logit));
}

// Concepts 0 and 2 exclude each other; 1 stands alone.
TEST(SaeLossesTest, AlignOfFacetsLeavesOutRowsWithoutAConcept) {
  const Matrix pre = RandomMatrix(kRows, kConcepts, 3);
  const std::vector<int> present = {0, 2, -1, 0, -1, 2, 2};
  at::Tensor has_concept =
      at::zeros({kRows, kConcepts}, at::TensorOptions(at::kBool));
  double exclusive = 0, binary = 0;
  for (int n = 0; n < kRows; ++n) {
    if (present[n] >= 0) {
      has_concept[n][present[n]] = true;
      exclusive += CrossEntropy({pre[n][0], pre[n][2]}, present[n] == 2) / 5.0;
    }
    has_concept[n][1] = n % 3 == 0;
    binary += BinaryCrossEntropy(pre[n][1], n % 3 == 0) / kRows;
  }
  const AlignTargets targets(has_concept, {{0, 2}, {1}});
  const at::Tensor rows = at::arange(kRows, at::kLong);
  EXPECT_NEAR(AlignLoss(ToTensor(pre), targets, rows, AlignForm::kCrossEntropy)
                  .item<double>(),
              exclusive + binary, 1e-7);
  ExpectGradientMatches(
      [&](const at::Tensor& v) {
        return AlignLoss(v, targets, rows, AlignForm::kCrossEntropy);
      },
      pre);
}

TEST(SaeLossesTest, AlignOfConceptsThatOccurTogetherIsBinary) {
  const Matrix pre = RandomMatrix(kRows, kConcepts, 3);
  at::Tensor has_concept =
      at::zeros({kRows, kConcepts}, at::TensorOptions(at::kBool));
  double expected = 0, squared = 0;
  for (int n = 0; n < kRows; ++n) {
    for (int c = 0; c < kConcepts; ++c) {
      const bool present = n == 0 || (n + c) % 4 == 0;  // Row 0 has them all.
      has_concept[n][c] = present;
      expected += BinaryCrossEntropy(pre[n][c], present) / (kRows * kConcepts);
      squared +=
          std::pow(pre[n][c] - (present ? 1 : 0), 2) / (kRows * kConcepts);
    }
  }
  const AlignTargets targets(has_concept, {{0, 1, 2}});
  EXPECT_FALSE(targets.facets()[0].exclusive);
  const at::Tensor rows = at::arange(kRows, at::kLong);
  EXPECT_NEAR(AlignLoss(ToTensor(pre), targets, rows, AlignForm::kCrossEntropy)
                  .item<double>(),
              expected, 1e-7);
  EXPECT_NEAR(AlignLoss(ToTensor(pre), targets, rows, AlignForm::kOneHot)
                  .item<double>(),
              squared, 1e-7);
}

TEST(SaeLossesTest, PerpIsTheSquaredCrossCovarianceOfSlotsAndFreeFeatures) {
  const Matrix c = RandomMatrix(kRows, kConcepts, 5);
  const Matrix f = RandomMatrix(kRows, kFree, 6);
  double covariance = 0, correlation = 0;
  for (int r = 0; r < kConcepts; ++r) {
    for (int k = 0; k < kFree; ++k) {
      const double cov = Covariance(c, r, f, k);
      covariance += cov * cov;
      correlation +=
          cov * cov / (Covariance(c, r, c, r) * Covariance(f, k, f, k));
    }
  }
  const at::Tensor free_part = ToTensor(f);
  EXPECT_NEAR(
      PerpLoss(ToTensor(c), free_part, PerpForm::kCovariance).item<double>(),
      covariance, 1e-12);
  EXPECT_NEAR(
      PerpLoss(ToTensor(c), free_part, PerpForm::kCorrelation).item<double>(),
      correlation, 1e-6);
  for (PerpForm form : {PerpForm::kCovariance, PerpForm::kCorrelation}) {
    ExpectGradientMatches(
        [&](const at::Tensor& v) { return PerpLoss(v, free_part, form); }, c);
  }
}

TEST(SaeLossesTest, PerpCorrelationOfASilentFeatureIsZeroWithFiniteGradient) {
  at::Tensor c = ToTensor(RandomMatrix(kRows, kConcepts, 7));
  at::Tensor silent = at::zeros({kRows, kFree}, at::kDouble);
  c.requires_grad_(true);
  silent.requires_grad_(true);
  const at::Tensor loss = PerpLoss(c, silent, PerpForm::kCorrelation);
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_TRUE(at::isfinite(silent.grad()).all().item<bool>());
  EXPECT_TRUE(at::isfinite(c.grad()).all().item<bool>());
}

TEST(SaeLossesTest, ValueIsTheCrossEntropyOfTheAskedConceptsHead) {
  constexpr int kHidden = 4, kTokens = 6;
  ValueHeads heads;
  heads.w1 = ToTensor(RandomMatrix(kConcepts, kHidden, 8));
  heads.b1 = ToTensor(RandomMatrix(kConcepts, kHidden, 9));
  heads.w2 = ToTensor(RandomMatrix(kConcepts, kHidden * kTokens, 10))
                 .view({kConcepts, kHidden, kTokens});
  heads.b2 = ToTensor(RandomMatrix(kConcepts, kTokens, 11));
  const Matrix z = RandomMatrix(kRows, kConcepts, 12);
  // Concept 1 is not asked in this batch.
  const std::vector<int64_t> labels = {0, 2, 2, 0, 0, 2, 2};
  const std::vector<int64_t> targets = {5, 0, 3, 1, 1, 2, 4};
  double expected = 0;
  for (int n = 0; n < kRows; ++n) {
    const int64_t r = labels[n];
    std::vector<double> logits(kTokens);
    for (int v = 0; v < kTokens; ++v) {
      logits[v] = heads.b2[r][v].item<double>();
      for (int h = 0; h < kHidden; ++h) {
        const double hidden =
            std::max(0.0, z[n][r] * heads.w1[r][h].item<double>() +
                              heads.b1[r][h].item<double>());
        logits[v] += hidden * heads.w2[r][h][v].item<double>();
      }
    }
    expected += CrossEntropy(logits, targets[n]) / kRows;
  }
  const at::Tensor label_tensor = at::tensor(labels, at::kLong);
  const at::Tensor target_tensor = at::tensor(targets, at::kLong);
  const auto loss = [&](const at::Tensor& v) {
    return ValueLoss(heads, v, label_tensor, target_tensor);
  };
  EXPECT_NEAR(loss(ToTensor(z)).item<double>(), expected, 1e-12);
  ExpectGradientMatches(loss, z);
}

TEST(SaeLossesTest, IndepIsTheSquaredOffDiagonalCovariance) {
  const Matrix z = RandomMatrix(kRows, kFree, 13);
  double expected = 0;
  for (int i = 0; i < kFree; ++i) {
    for (int j = 0; j < kFree; ++j) {
      if (i != j) expected += std::pow(Covariance(z, i, z, j), 2);
    }
  }
  EXPECT_NEAR(IndepLoss(ToTensor(z)).item<double>(), expected, 1e-12);
  ExpectGradientMatches(IndepLoss, z);
}

TEST(SaeLossesTest, AnUnknownPerpFormIsRefusedByName) {
  EXPECT_THAT(ParsePerpForm("covariance"), IsOkAndHolds(PerpForm::kCovariance));
  EXPECT_THAT(ParsePerpForm("correlation"),
              IsOkAndHolds(PerpForm::kCorrelation));
  EXPECT_THAT(ParsePerpForm("cosine"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("perp_form: must be \"covariance\" or "
                                 "\"correlation\", got \"cosine\"")));
}

}  // namespace
}  // namespace alignsae
