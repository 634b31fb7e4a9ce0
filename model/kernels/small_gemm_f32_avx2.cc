#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = FloatScaling;
constexpr int kRows = 6;
constexpr int64_t kInputsPerStep = 1;
// Not __m256, which may alias everything: GCC would keep the sums in memory.
using Part = float __attribute__((vector_size(32)));
constexpr int kVectors = 2;

// Each vector has the sums of 8 columns.
template <int Rows>
ALIGNSAE_INLINE void Step(const char* x, int64_t x_stride, const char* weights,
                          Part (&sums)[Rows][kVectors]) {
  __m256 w[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    w[v] = _mm256_loadu_ps(reinterpret_cast<const float*>(weights) + v * 8);
  }
  for (int m = 0; m < Rows; ++m) {
    float number;
    __builtin_memcpy(&number, x + m * x_stride, sizeof(number));
    const __m256 input = _mm256_set1_ps(number);
    for (int v = 0; v < kVectors; ++v) {
      sums[m][v] = reinterpret_cast<Part>(
          _mm256_fmadd_ps(input, w[v], reinterpret_cast<__m256>(sums[m][v])));
    }
  }
}

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_avx2.inc"

namespace alignsae {

void SmallGemmF32Avx2(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
