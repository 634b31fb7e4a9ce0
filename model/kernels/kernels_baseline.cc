#define ALIGNSAE_KERNEL_TABLE kKernelsBaseline
#define ALIGNSAE_KERNEL_NAME "baseline"
#include "model/kernels/kernels_body.inc"
