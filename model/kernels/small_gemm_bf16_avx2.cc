#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = FloatScaling;
constexpr int kRows = 4;
constexpr int64_t kInputsPerStep = 2;
// Not __m256, which may alias everything: GCC would keep the sums in memory.
using Part = float __attribute__((vector_size(32)));
constexpr int kVectors = 2;

// A float's upper half is its bfloat16: of a word of two, the second is a float
// but for its low bits, and the first one after a shift.
ALIGNSAE_INLINE __m256 First(__m256i words) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
}
ALIGNSAE_INLINE __m256 Second(__m256i words) {
  return _mm256_castsi256_ps(
      _mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000))));
}

// Products and sums are float32: each vector has the sums of 8 columns.
template <int Rows>
ALIGNSAE_INLINE void Step(const char* x, int64_t x_stride, const char* weights,
                          Part (&sums)[Rows][kVectors]) {
  __m256 first[kVectors], second[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const __m256i w =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + v * 32));
    first[v] = First(w);
    second[v] = Second(w);
  }
  for (int m = 0; m < Rows; ++m) {
    int word;
    __builtin_memcpy(&word, x + m * x_stride, sizeof(word));
    const __m256i inputs = _mm256_set1_epi32(word);
    const __m256 x_first = First(inputs);
    const __m256 x_second = Second(inputs);
    for (int v = 0; v < kVectors; ++v) {
      __m256 sum = reinterpret_cast<__m256>(sums[m][v]);
      sum = _mm256_fmadd_ps(x_first, first[v], sum);
      sum = _mm256_fmadd_ps(x_second, second[v], sum);
      sums[m][v] = reinterpret_cast<Part>(sum);
    }
  }
}

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_avx2.inc"

namespace alignsae {

void SmallGemmBf16Avx2(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
