// What this processor can do, as far as the choice of kernels and weight types
// goes.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_KERNELS_CPU_FEATURES_H_
#define ALIGNSAE_MODEL_KERNELS_CPU_FEATURES_H_

#include <string>

namespace alignsae {

struct CpuFeatures {
  bool avx2_fma = false;     // AVX2 and FMA.
  bool avx512 = false;       // AVX-512 F, BW, DQ and VL.
  bool avx512_bf16 = false;  // ... and its bfloat16 dot product.
  bool avx512_vnni = false;  // ... and its int8 dot product.
  // AVX-512 and AMX tiles, which the system lets this process use.
  bool amx_bf16 = false;
  bool amx_int8 = false;
};

const CpuFeatures& ThisCpu();

// What the processor calls itself, "AMD EPYC 9B14"; empty where it does not.
std::string CpuName();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_CPU_FEATURES_H_
