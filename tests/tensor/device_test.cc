#include "model/tensor/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

TEST(ParseDeviceTest, TakesTheCpu) {
  ASSERT_OK_AND_ASSIGN(const at::Device device, ParseDevice("cpu"));
  EXPECT_TRUE(device.is_cpu());
  EXPECT_EQ(DeviceKind(device), "cpu");
}

TEST(ParseDeviceTest, RefusesWhatIsNoDevice) {
  for (const char* name :
       {"", "tpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:+1", "cuda: 1",
        "cuda:1000", "cuda0", "cuda:0:0", "cpu:0"}) {
    const absl::Status status = ParseDevice(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(status.message(),
              absl::StrCat("device: must be cpu, cuda or cuda:N, got \"", name,
                           "\""));
  }
}

TEST(ParseDeviceTest, RefusesAGpuThatIsNotThere) {
  const int count = static_cast<int>(torch::cuda::device_count());
  const std::string name = absl::StrCat("cuda:", count);
  const absl::Status status = ParseDevice(name).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("got \"", name, "\"")));
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr(count == 0 ? "device: must be cpu, got"
                           : "device: must be cpu or one of cuda:0 to"));
}

TEST(ParseDeviceTest, CudaIsTheFirstGpu) {
  if (torch::cuda::device_count() == 0) GTEST_SKIP() << "no GPU here";
  ASSERT_OK_AND_ASSIGN(const at::Device device, ParseDevice("cuda"));
  EXPECT_EQ(device, at::Device(at::kCUDA, 0));
  EXPECT_EQ(*ParseDevice("cuda:0"), device);
  EXPECT_EQ(DeviceKind(device), "cuda");
}

// Relative to the norm of the product in double precision.
double ProductError(bool tf32, const at::Tensor& a, const at::Tensor& b) {
  const Tf32Products products(tf32);
  const at::Tensor product = at::matmul(a.cuda(), b.cuda()).cpu();
  const at::Tensor exact = at::matmul(a.to(at::kDouble), b.to(at::kDouble));
  return ((product - exact).norm() / exact.norm()).item<double>();
}

TEST(Tf32ProductsTest, RoundsWhileItLivesOnly) {
  if (torch::cuda::device_count() == 0) GTEST_SKIP() << "no GPU here";
  const at::Tensor a = at::randn({256, 256});
  const at::Tensor b = at::randn({256, 256});
  EXPECT_LT(ProductError(false, a, b), 1e-6);
  const double rounded = ProductError(true, a, b);
  EXPECT_GT(rounded, 1e-5);
  EXPECT_LT(rounded, 1e-3);
  EXPECT_LT(ProductError(false, a, b), 1e-6);
}

TEST(Tf32ProductsTest, PutsBackWhatWasThere) {
  at::globalContext().setAllowTF32CuBLAS(true);
  {
    const Tf32Products products(false);
    EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
  }
  EXPECT_TRUE(at::globalContext().allowTF32CuBLAS());
  at::globalContext().setAllowTF32CuBLAS(false);
}

}  // namespace
}  // namespace alignsae
