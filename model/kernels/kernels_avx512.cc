#define ALIGNSAE_KERNEL_TABLE kKernelsAvx512
#define ALIGNSAE_KERNEL_NAME "avx512"
#include "model/kernels/kernels_body.inc"
