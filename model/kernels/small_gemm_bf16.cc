#include <immintrin.h>

#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Sums = __m512;
using Word = __m512i;
constexpr int64_t kInputsPerWord = 2;

ALIGNSAE_INLINE Sums Zero() { return _mm512_setzero_ps(); }
ALIGNSAE_INLINE Word LoadWords(const char* at) {
  return _mm512_loadu_si512(at);
}
ALIGNSAE_INLINE Word Repeat(const char* at) {
  int word;
  __builtin_memcpy(&word, at, sizeof(word));
  return _mm512_set1_epi32(word);
}
ALIGNSAE_INLINE Sums Combine(Sums sums, Word x, Word w) {
  return _mm512_dpbf16_ps(sums, reinterpret_cast<__m512bh>(x),
                          reinterpret_cast<__m512bh>(w));
}

// The sums as float32.
ALIGNSAE_INLINE Floats Real(const GemmTask&, int64_t, int64_t, __mmask16,
                            Sums sums) {
  return reinterpret_cast<Floats>(sums);
}

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_body.inc"

namespace alignsae {

void SmallGemmBf16(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
