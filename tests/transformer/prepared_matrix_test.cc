#include "model/transformer/prepared_matrix.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

constexpr int64_t kIn = 64;
constexpr int64_t kOut = 130;  // Two blocks of columns and two columns more.

class PreparedMatrixTest
    : public ::testing::TestWithParam<std::tuple<WeightType, GemmPath>> {
 protected:
  void SetUp() override {
    if (!WhyUnsupported(Type(), "cpu").empty() || !CanRun(Path(), Type())) {
      GTEST_SKIP() << "this processor cannot run it";
    }
  }
  static WeightType Type() { return std::get<0>(GetParam()); }
  static GemmPath Path() { return std::get<1>(GetParam()); }

  static at::Tensor Input(int64_t rows) {
    return UniformTensor({rows, kIn}, 1, 2)
        .to(Type() == WeightType::kBf16 ? at::kBFloat16 : at::kFloat);
  }
  at::Tensor Product(const at::Tensor& x, Finish finish) const {
    at::Tensor y = at::ones({x.size(0), kOut});
    matrix_.MultiplyBy(Path(), x, bias_, finish, y);
    return y;
  }

  const at::Tensor weight_ = UniformTensor({kIn, kOut}, 1, 1);
  const at::Tensor bias_ = UniformTensor({kOut}, 1, 3);
  const PreparedMatrix matrix_{weight_, true, Type()};
};

INSTANTIATE_TEST_SUITE_P(
    , PreparedMatrixTest,
    ::testing::Combine(::testing::Values(WeightType::kF32, WeightType::kBf16,
                                         WeightType::kInt8),
                       ::testing::Values(GemmPath::kVectors, GemmPath::kTiles,
                                         GemmPath::kOneDnn)),
    [](const auto& test) {
      return std::string(WeightTypeName(std::get<0>(test.param))) + "_" +
             GemmPathName(std::get<1>(test.param));
    });

// More rows than an int8 product takes at a time, too.
TEST_P(PreparedMatrixTest, ProductEqualsThatInDoublePrecision) {
  const double tolerance = Type() == WeightType::kF32 ? 1e-4 : 0.15;
  for (int64_t rows : {1, 5, 16, 17, 128, 385, 400}) {
    if (!matrix_.CanMultiplyBy(Path(), rows)) continue;
    const at::Tensor x = Input(rows);
    const at::Tensor exact = at::addmm(bias_.to(at::kDouble), x.to(at::kDouble),
                                       weight_.to(at::kDouble));  // [rows, O]
    const auto difference = [&](Finish finish, const at::Tensor& expected) {
      return (Product(x, finish) - expected).abs().max().item<double>();
    };
    EXPECT_LT(difference(Finish::kNone, exact), tolerance) << rows;
    EXPECT_LT(difference(Finish::kAdd, exact + 1), tolerance) << rows;
    if (Type() != WeightType::kBf16) {  // There, activations are bfloat16.
      EXPECT_LT(difference(Finish::kGeluTanh, at::gelu(exact, "tanh")),
                tolerance)
          << rows;
    }
  }
}

TEST_P(PreparedMatrixTest, InputsNeedNotFillWordsOrBlocks) {
  const at::Tensor weight = UniformTensor({37, 70}, 1, 4);
  const PreparedMatrix matrix(weight, false, Type());
  const at::Tensor x =
      UniformTensor({5, 37}, 1, 5)
          .to(Type() == WeightType::kBf16 ? at::kBFloat16 : at::kFloat);
  if (!matrix.CanMultiplyBy(Path(), x.size(0))) {
    GTEST_SKIP() << "oneDNN takes it";
  }
  at::Tensor y = at::empty({5, 70});
  matrix.MultiplyBy(Path(), x, at::Tensor(), Finish::kNone, y);
  const at::Tensor exact = at::mm(x.to(at::kDouble), weight.to(at::kDouble));
  EXPECT_LT((y - exact).abs().max().item<double>(),
            Type() == WeightType::kF32 ? 1e-4 : 0.15);
}

TEST_P(PreparedMatrixTest, RowHasTheSameBitsWhereverItLies) {
  for (int64_t rows : {16, 100, 400}) {
    if (!matrix_.CanMultiplyBy(Path(), rows)) continue;
    const at::Tensor same = Input(1).expand({rows, kIn}).contiguous();
    const at::Tensor y = Product(same, Finish::kNone);
    EXPECT_TRUE(at::equal(y, y.narrow(0, 0, 1).expand_as(y))) << rows;
  }
}

TEST_P(PreparedMatrixTest, ColumnsAreThoseOfTheWhole) {
  const auto part = matrix_.Columns(64, 64);
  if (part == nullptr) GTEST_SKIP() << "oneDNN asks for another layout";
  const at::Tensor x = Input(20);
  at::Tensor y = at::empty({20, 64});
  part->MultiplyBy(Path(), x, bias_.narrow(0, 64, 64), Finish::kNone, y);
  EXPECT_TRUE(
      at::equal(y, Product(x, Finish::kNone).narrow(1, 64, 64).contiguous()));
}

}  // namespace
}  // namespace alignsae
