#include "model/kernels/cpu_features.h"

namespace alignsae {
namespace {

CpuFeatures Detect() {
  CpuFeatures features;
#if defined(__x86_64__)
  // Also says no where the operating system does not save the registers.
  __builtin_cpu_init();
  features.avx2_fma =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  features.avx512 = features.avx2_fma && __builtin_cpu_supports("avx512f") &&
                    __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
  features.avx512_bf16 =
      features.avx512 && __builtin_cpu_supports("avx512bf16");
  features.avx512_vnni =
      features.avx512 && __builtin_cpu_supports("avx512vnni");
#endif
  return features;
}

}  // namespace

const CpuFeatures& ThisCpu() {
  static const CpuFeatures features = Detect();
  return features;
}

}  // namespace alignsae
