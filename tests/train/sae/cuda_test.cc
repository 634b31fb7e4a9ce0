// Training of an SAE on a GPU against training on the CPU.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <string>

#include "tests/support/status_matchers.h"
#include "tests/train/sae/fixture.h"

namespace alignsae {
namespace {

SaeDataset OnDevice(SaeDataset data, at::Device device) {
  data.residuals = data.residuals.to(device);
  data.labels = data.labels.to(device);
  data.first_tokens = data.first_tokens.to(device);
  return data;
}

class SaeCudaTest : public ::testing::TestWithParam<std::string> {};

TEST_P(SaeCudaTest, TrainsAsTheCpu) {
  if (torch::cuda::device_count() == 0) GTEST_SKIP() << "no GPU here";
  SaeOptions options = SmallSaeOptions();
  options.activation = GetParam();
  options.k = 8;
  options.init = "class_means";
  options.prefix = 0.1;
  options.indep = 0.01;
  options.learning_rate = 1e-3;
  const SaeDataset data = SyntheticResiduals();
  ASSERT_OK_AND_ASSIGN(const TrainedSae cpu, TrainSae(data, options, {}));
  ASSERT_OK_AND_ASSIGN(const TrainedSae gpu,
                       TrainSae(OnDevice(data, at::kCUDA), options, {}));
  ASSERT_EQ(cpu.log.size(), gpu.log.size());
  for (size_t i = 0; i < cpu.log.size(); ++i) {
    EXPECT_NEAR(gpu.log[i].total, cpu.log[i].total, 1e-3 * cpu.log[i].total)
        << "epoch " << i + 1;
  }
  EXPECT_NEAR(gpu.scale, cpu.scale, 1e-6 * cpu.scale);
  EXPECT_TRUE(gpu.weights.w_enc.is_cpu());
  const double error = ((gpu.weights.w_dec - cpu.weights.w_dec).norm() /
                        cpu.weights.w_dec.norm())
                           .item<double>();
  EXPECT_LT(error, 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Activations, SaeCudaTest,
                         ::testing::Values("relu", "topk", "jumprelu"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace alignsae
