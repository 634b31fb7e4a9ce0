// What kernels.cc chooses from. Private to this folder.

#ifndef ALIGNSAE_MODEL_KERNELS_TABLES_H_
#define ALIGNSAE_MODEL_KERNELS_TABLES_H_

#include "model/kernels/kernels.h"
#include "model/kernels/small_gemm.h"

namespace alignsae {

#if defined(__x86_64__)
extern const Kernels kKernelsAvx512;  // AVX-512 F, BW, DQ, VL.
extern const Kernels kKernelsAvx2;    // AVX2 and FMA.
#endif
extern const Kernels kKernelsBaseline;

#if defined(__x86_64__)
void SmallGemmF32(const GemmTask& task);        // AVX-512.
void SmallGemmBf16(const GemmTask& task);       // ... and bfloat16.
void SmallGemmInt8(const GemmTask& task);       // ... and VNNI.
void SmallGemmBf16Tiles(const GemmTask& task);  // AVX-512 and AMX-BF16.
void SmallGemmInt8Tiles(const GemmTask& task);  // AVX-512 and AMX-INT8.
void SmallGemmF32Avx2(const GemmTask& task);
void SmallGemmBf16Avx2(const GemmTask& task);  // AVX2 and FMA.
void SmallGemmInt8Avx2(const GemmTask& task);
#endif

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_TABLES_H_
