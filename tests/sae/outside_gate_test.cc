// The gate against distances worked out by hand, and files that are refused.

#include "model/sae/outside_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "model/base/file.h"
#include "model/io/tensor_file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Two classes on the first axis, wide along it; a background that is round.
LowRankNormal Known() {
  return {at::tensor({1.0f, 0.0f, 0.0f, -1.0f, 0.0f, 0.0f}).view({2, 3}),
          at::tensor({std::sqrt(0.75f), 0.0f, 0.0f}).view({1, 3}), 0.5};
}
LowRankNormal Background() {
  return {at::tensor({0.0f, 10.0f, 0.0f}).view({1, 3}), at::zeros({0, 3}), 2};
}

std::string FreshDirectory(const std::string& name) {
  const std::string path = ::testing::TempDir() + "/gate_" + name;
  EXPECT_OK(CreateDirectories(path));
  return path;
}

TEST(OutsideGateTest, TheRatioIsThatOfTheDistances) {
  ASSERT_OK_AND_ASSIGN(const OutsideGate gate,
                       OutsideGate::Make(Known(), Background(), 0.25));
  const at::Tensor h =
      at::tensor({3.0f, 0.0f, 0.0f, -1.0f, 2.0f, 0.0f, 1.0f, 0.0f, 0.0f})
          .view({3, 3});
  const at::Tensor ratio = gate.Ratio(h);
  // Along the wide axis a quarter of the square counts: (4 - 3) / 0.25 = 4.
  const double first = std::sqrt(4.0) / std::sqrt((9 + 100) / 4.0) / 0.25;
  const double second = std::sqrt(16.0) / std::sqrt((1 + 64) / 4.0) / 0.25;
  EXPECT_NEAR(ratio[0].item<double>(), first, 1e-5);
  EXPECT_NEAR(ratio[1].item<double>(), second, 1e-5);
  EXPECT_EQ(ratio[2].item<double>(), 0);
  // Each row as if it were alone.
  EXPECT_TRUE(gate.Ratio(h.narrow(0, 1, 1)).equal(ratio.narrow(0, 1, 1)));
}

TEST(OutsideGateTest, IsReadAsItWasWritten) {
  const std::string directory = FreshDirectory("round");
  ASSERT_OK_AND_ASSIGN(const OutsideGate gate,
                       OutsideGate::Make(Known(), Background(), 0.25));
  ASSERT_OK(gate.Save(directory));
  ASSERT_OK_AND_ASSIGN(const auto loaded,
                       OutsideGate::Load(directory, 2, 3, at::kCPU));
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->limit(), 0.25);
  const at::Tensor h = at::rand({7, 3});
  EXPECT_TRUE(loaded->Ratio(h).equal(gate.Ratio(h)));
}

TEST(OutsideGateTest, WithoutAFileThereIsNone) {
  ASSERT_OK_AND_ASSIGN(
      const auto none,
      OutsideGate::Load(FreshDirectory("none"), 2, 3, at::kCPU));
  EXPECT_FALSE(none.has_value());
}

TEST(OutsideGateTest, WhatDoesNotBelongTogetherIsRefused) {
  const std::string directory = FreshDirectory("refused");
  ASSERT_OK(OutsideGate::Make(Known(), Background(), 1)->Save(directory));
  EXPECT_THAT(
      OutsideGate::Load(directory, 3, 3, at::kCPU).status(),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("known_means")));
  EXPECT_THAT(
      OutsideGate::Load(directory, 2, 4, at::kCPU).status(),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("known_means")));

  LowRankNormal long_rows = Known();
  long_rows.directions = long_rows.directions * 2;
  EXPECT_THAT(OutsideGate::Make(long_rows, Background(), 1).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("known_directions: must be of norm 1 at most, "
                                 "got 1.73205")));
  LowRankNormal flat = Background();
  flat.spread = 0;
  EXPECT_THAT(
      OutsideGate::Make(Known(), flat, 1).status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "background_spread: must be finite and above 0, got 0.0"));
  EXPECT_THAT(OutsideGate::Make(Known(), Background(), -1).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "limit: must be finite and above 0, got -1.0"));
  LowRankNormal nowhere = Known();
  nowhere.means[0][0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(OutsideGate::Make(nowhere, Background(), 1).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("known_means: must be finite")));
}

}  // namespace
}  // namespace alignsae
