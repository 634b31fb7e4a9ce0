// The kernel tables that kernels.cc chooses from. Private to this folder.

#ifndef ALIGNSAE_MODEL_KERNELS_TABLES_H_
#define ALIGNSAE_MODEL_KERNELS_TABLES_H_

#include "model/kernels/kernels.h"

namespace alignsae {

#if defined(__x86_64__)
extern const Kernels kKernelsAvx512;  // AVX-512 F, BW, DQ, VL.
extern const Kernels kKernelsAvx2;    // AVX2 and FMA.
#endif
extern const Kernels kKernelsBaseline;

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_TABLES_H_
