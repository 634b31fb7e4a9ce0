// What this processor can do, as far as the choice of kernels and weight types
// goes.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_KERNELS_CPU_FEATURES_H_
#define ALIGNSAE_MODEL_KERNELS_CPU_FEATURES_H_

namespace alignsae {

struct CpuFeatures {
  bool avx2_fma = false;     // AVX2 and FMA.
  bool avx512 = false;       // AVX-512 F, BW, DQ and VL.
  bool avx512_bf16 = false;  // ... and its bfloat16 dot product.
  bool avx512_vnni = false;  // ... and its int8 dot product.
};

const CpuFeatures& ThisCpu();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_CPU_FEATURES_H_
