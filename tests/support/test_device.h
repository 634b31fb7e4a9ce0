// The device that tests of the forward pass run on: ALIGNSAE_TEST_DEVICE, as
// ParseDevice takes it; the CPU without it. A LibTorch with CUDA has the tests
// twice (tests/engine, tests/gpt2).

#ifndef ALIGNSAE_TESTS_SUPPORT_TEST_DEVICE_H_
#define ALIGNSAE_TESTS_SUPPORT_TEST_DEVICE_H_

#include <cstdlib>

#include "model/gpt2/weights.h"
#include "model/tensor/device.h"

namespace alignsae {

// Ends the process with a sentence when the device is not there.
inline at::Device TestDevice() {
  const char* name = std::getenv("ALIGNSAE_TEST_DEVICE");
  return ParseDevice(name == nullptr ? "cpu" : name).value();
}

inline Gpt2Weights OnDevice(Gpt2Weights weights, at::Device device) {
  const bool tied = weights.lm_head.is_same(weights.wte);
  for (auto& [name, tensor] : weights.Named()) *tensor = tensor->to(device);
  if (tied) weights.lm_head = weights.wte;
  return weights;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_TEST_DEVICE_H_
