// The number types against f32, and their names.

#include "model/transformer/weight_type.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "model/gpt2/gpt2.h"
#include "model/transformer/linear.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

TEST(WeightTypeTest, NamesComeBackAndOthersAreRefused) {
  for (WeightType type :
       {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
    EXPECT_EQ(ParseWeightType(WeightTypeName(type)).value(), type);
  }
  EXPECT_THAT(ParseWeightType("fp16"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "weight_type: must be \"f32\", \"bf16\" or \"int8\", "
                       "got \"fp16\""));
}

TEST(WeightTypeTest, OtherDevicesRunF32AndBf16) {
  EXPECT_EQ(WhyUnsupported(WeightType::kF32, "cuda"), "");
  EXPECT_EQ(WhyUnsupported(WeightType::kBf16, "cuda"), "");
  EXPECT_THAT(WhyUnsupported(WeightType::kInt8, "cuda"),
              HasSubstr("device cuda runs f32 and bf16 only"));
}

// Largest difference over the largest value.
double TypeError(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kFloat) - b).abs().max() / b.abs().max()).item<double>();
}

// By the formula of activation.h in double precision.
at::Tensor ByFormula(Activation activation, const at::Tensor& y) {
  const at::Tensor x = y.to(at::kDouble);
  switch (activation) {
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kGeluErf:
      return at::gelu(x, "none");
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kQuickGelu:
      return x * at::sigmoid(x * 1.702);
    case Activation::kTanh:
      return at::tanh(x);
  }
  return at::Tensor();
}

class LinearTest : public ::testing::TestWithParam<WeightType> {
 protected:
  void SetUp() override {
    if (const std::string why = WhyUnsupported(GetParam(), "cpu");
        !why.empty()) {
      GTEST_SKIP() << why;
    }
  }
  double tolerance() const {
    return GetParam() == WeightType::kF32    ? 1e-6
           : GetParam() == WeightType::kBf16 ? 0.01
                                             : 0.02;
  }
};

INSTANTIATE_TEST_SUITE_P(, LinearTest,
                         ::testing::Values(WeightType::kF32, WeightType::kBf16,
                                           WeightType::kInt8),
                         [](const auto& type) {
                           return std::string(WeightTypeName(type.param));
                         });

TEST_P(LinearTest, ProductBiasActivationAndAddEqualTheirFormula) {
  for (const auto& [inputs, outputs] :
       std::vector<std::pair<int, int>>{{64, 192}, {52, 33}, {7, 130}}) {
    const at::Tensor weight = UniformTensor({inputs, outputs}, 0.5, 1);
    const at::Tensor bias = UniformTensor({outputs}, 1, 2);
    const Linear linear(weight, bias, GetParam());
    const Linear transposed(weight.t().contiguous().t(), at::Tensor(),
                            GetParam());
    for (int rows : {1, 3, 17, 150}) {
      const at::Tensor x = UniformTensor({rows, inputs}, 2, 3 + rows);
      const at::Tensor given = x.to(linear.input_type());
      const at::Tensor y = at::addmm(bias, x, weight);
      EXPECT_LT(TypeError(linear.Apply(given), y), tolerance());
      EXPECT_LT(TypeError(transposed.Apply(given), y - bias), tolerance());
      for (const Activation activation : kAllActivations) {
        // tanh is at most 1 however large y is, and y's error is not.
        const double range =
            activation == Activation::kTanh ? y.abs().max().item<double>() : 1;
        EXPECT_LT(TypeError(linear.ApplyActivated(given, activation),
                            ByFormula(activation, y)),
                  range * tolerance())
            << static_cast<int>(activation) << ", " << rows << " rows";
      }
      const at::Tensor before = UniformTensor({rows, outputs}, 1, 9);
      at::Tensor sum = before.clone();
      linear.AddTo(given, sum);
      EXPECT_LT(TypeError(sum, y + before), tolerance());
    }
  }
}

TEST_P(LinearTest, RowGetsTheSameBitsAnywhereInACall) {
  // 83 outputs: rows begin at every place within a vector.
  const Linear linear(UniformTensor({48, 83}, 0.5, 1),
                      UniformTensor({83}, 1, 2), GetParam());
  const at::Tensor row = UniformTensor({1, 48}, 2, 3);
  for (int64_t rows : {6, 9, 37, 64, 131, 150}) {
    at::Tensor x = UniformTensor({rows, 48}, 2, 4);
    for (int64_t place : {int64_t{0}, int64_t{5}, rows - 1}) {
      x[place].copy_(row[0]);
    }
    for (const Activation activation : kAllActivations) {
      const at::Tensor y =
          linear.ApplyActivated(x.to(linear.input_type()), activation);
      EXPECT_TRUE(at::equal(y[0], y[5])) << rows << " rows";
      EXPECT_TRUE(at::equal(y[0], y[rows - 1])) << rows << " rows";
    }
  }
}

TEST_P(LinearTest, ColumnsOfAMatrixAreThoseOfTheWhole) {
  const Linear whole(UniformTensor({64, 192}, 0.5, 1),
                     UniformTensor({192}, 1, 2), GetParam());
  for (const auto& [first, count] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 64}, {64, 128}, {128, 64}}) {
    const std::optional<Linear> part = whole.Columns(first, count);
    if (!part.has_value()) GTEST_SKIP() << "no layout of our kernels";
    EXPECT_EQ(part->bytes(), whole.bytes() * count / 192);
    for (int64_t rows : {1, 9, 64, 150}) {
      const at::Tensor x =
          UniformTensor({rows, 64}, 2, 3 + rows).to(whole.input_type());
      const at::Tensor expected = whole.Apply(x).narrow(1, first, count);
      EXPECT_LT(TypeError(part->Apply(x), expected), 1e-6) << rows << " rows";
    }
  }
  // Not whole blocks of 64 columns.
  EXPECT_FALSE(whole.Columns(32, 64).has_value());
  EXPECT_FALSE(whole.Columns(0, 32).has_value());
}

TEST_P(LinearTest, RowThatIsNotFiniteStaysSoAndAlone) {
  const Linear linear(UniformTensor({48, 80}, 0.5, 1), at::Tensor(),
                      GetParam());
  const at::Tensor x = UniformTensor({3, 48}, 2, 4);
  at::Tensor spoilt = x.clone();
  spoilt[1][7] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor clean = linear.Apply(x.to(linear.input_type()));
  const at::Tensor y = linear.Apply(spoilt.to(linear.input_type()));
  EXPECT_TRUE(at::isnan(y[1]).all().item<bool>());
  EXPECT_TRUE(at::equal(y[0], clean[0]));
  EXPECT_TRUE(at::equal(y[2], clean[2]));
}

TEST_P(LinearTest, ModelOfThisTypeSaysNearlyWhatF32Says) {
  const Gpt2Config config = {.n_layer = 3,
                             .n_head = 2,
                             .d_model = 64,
                             .d_inner = 256,
                             .context_length = 64,
                             .vocab_size = 211};
  const Gpt2Weights weights = InitGpt2Weights(config, 3);
  const std::vector<int32_t> tokens = RandomTokens(config, 40, 5);
  const auto logits = [&](WeightType type) {
    const Gpt2 model(config, weights, type);
    KvCache cache(config.facts(), 1, at::kCPU, model.kv_type());
    PackedRow row;
    row.length = 40;
    row.exit_site = config.n_layer;
    row.logits = 1;
    at::Tensor last = model.Forward(tokens, {row}, cache, nullptr);
    row.start = 40;
    row.length = 1;
    return at::cat(
        {last, model.Forward({&tokens[3], 1}, {row}, cache, nullptr)});
  };
  EXPECT_LT(TypeError(logits(GetParam()), logits(WeightType::kF32)),
            2 * tolerance() + 1e-6);
}

}  // namespace
}  // namespace alignsae
