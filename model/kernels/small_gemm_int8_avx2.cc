#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = SignedScaling;
constexpr int kRows = 4;
constexpr int64_t kInputsPerStep = 4;
// Not __m256i, which may alias everything: GCC would keep the sums in memory.
using Part = int32_t __attribute__((vector_size(32)));
constexpr int kVectors = 2;

// Each vector has the sums of 8 columns. AVX2 multiplies unsigned by signed
// bytes and adds pairs of products in 16 bits, which hold 2 x 127 x 127 and not
// 2 x 255 x 127: so the inputs lose their 128 and give their sign to the
// weights. Exact, as VNNI is.
template <int Rows>
ALIGNSAE_INLINE void Step(const char* x, int64_t x_stride, const char* weights,
                          Part (&sums)[Rows][kVectors]) {
  __m256i w[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    w[v] =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + v * 32));
  }
  for (int m = 0; m < Rows; ++m) {
    int word;
    __builtin_memcpy(&word, x + m * x_stride, sizeof(word));
    const __m256i inputs =
        _mm256_xor_si256(_mm256_broadcastd_epi32(_mm_cvtsi32_si128(word)),
                         _mm256_set1_epi32(static_cast<int>(0x80808080)));
    const __m256i magnitudes = _mm256_abs_epi8(inputs);
    for (int v = 0; v < kVectors; ++v) {
      const __m256i pairs =
          _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(w[v], inputs));
      sums[m][v] += reinterpret_cast<Part>(
          _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
  }
}

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_avx2.inc"

namespace alignsae {

void SmallGemmInt8Avx2(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
