#define ALIGNSAE_KERNEL_TABLE kKernelsAvx2
#define ALIGNSAE_KERNEL_NAME "avx2"
#include "model/kernels/kernels_body.inc"
