#include "model/tensor/device.h"

#include <torch/cuda.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace alignsae {
namespace {

// N of "cuda:N", 0 of "cuda"; -1 of anything else.
int GpuOf(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "cuda")) return -1;
  if (name.empty()) return 0;
  int gpu = -1;
  const bool number = absl::ConsumePrefix(&name, ":") && name.size() <= 3 &&
                      name.find_first_not_of("0123456789") == name.npos &&
                      absl::SimpleAtoi(name, &gpu);
  return number ? gpu : -1;
}

}  // namespace

absl::StatusOr<at::Device> ParseDevice(absl::string_view name) {
  if (name == "cpu") return at::Device(at::kCPU);
  const int gpu = GpuOf(name);
  if (gpu < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "device: must be cpu, cuda or cuda:N, got \"", name, "\""));
  }
  const int count = static_cast<int>(torch::cuda::device_count());
  if (count == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "device: must be cpu, got \"", name,
        "\"; there is no GPU, or this LibTorch is built without CUDA"));
  }
  if (gpu >= count) {
    return absl::FailedPreconditionError(
        absl::StrCat("device: must be cpu or one of cuda:0 to cuda:", count - 1,
                     ", the GPUs that are there, got \"", name, "\""));
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(gpu));
}

at::Tensor ToCpu(const at::Tensor& x) {
  return x.to(at::kCPU, at::kFloat).contiguous();
}

absl::string_view DeviceKind(const at::Device& device) {
  return device.is_cuda() ? "cuda" : "cpu";
}

Tf32Products::Tf32Products(bool on)
    : before_(at::globalContext().allowTF32CuBLAS()) {
  at::globalContext().setAllowTF32CuBLAS(on);
}

Tf32Products::~Tf32Products() {
  at::globalContext().setAllowTF32CuBLAS(before_);
}

}  // namespace alignsae
