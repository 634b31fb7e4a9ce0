// The device that the model computes on, by its name, and how a GPU multiplies.
//
// Thread-safety: ParseDevice is a free function. Tf32Products sets a switch of
// the whole process: one at a time, and no products on other threads.
// Errors: INVALID_ARGUMENT for what is no device's name, FAILED_PRECONDITION
// for a device that is not there. Both name the field, the rule and the value.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(at::Device device, ParseDevice("cuda:1"));

#ifndef ALIGNSAE_MODEL_TENSOR_DEVICE_H_
#define ALIGNSAE_MODEL_TENSOR_DEVICE_H_

#include <ATen/ATen.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

// "cpu", "cuda" (the first GPU) or "cuda:N".
absl::StatusOr<at::Device> ParseDevice(absl::string_view name);

// `x` as float32 in the processor's memory, contiguous; `x` itself if it is.
at::Tensor ToCpu(const at::Tensor& x);

// "cpu" or "cuda": what of a device changes results.
absl::string_view DeviceKind(const at::Device& device);

// While it lives, a GPU rounds what it multiplies in float32 to TF32's 10 bits
// of mantissa, if `on`; sums stay float32. Else it multiplies in float32.
class Tf32Products {
 public:
  explicit Tf32Products(bool on);
  ~Tf32Products();
  Tf32Products(const Tf32Products&) = delete;
  Tf32Products& operator=(const Tf32Products&) = delete;

 private:
  const bool before_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TENSOR_DEVICE_H_
