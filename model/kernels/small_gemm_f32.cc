#include <immintrin.h>

#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Sums = __m512;
using Word = __m512;
constexpr int64_t kInputsPerWord = 1;

ALIGNSAE_INLINE Sums Zero() { return _mm512_setzero_ps(); }
ALIGNSAE_INLINE Word LoadWords(const char* at) { return _mm512_loadu_ps(at); }
ALIGNSAE_INLINE Word Repeat(const char* at) {
  float word;
  __builtin_memcpy(&word, at, sizeof(word));
  return _mm512_set1_ps(word);
}
ALIGNSAE_INLINE Sums Combine(Sums sums, Word x, Word w) {
  return _mm512_fmadd_ps(x, w, sums);
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

void SmallGemmF32(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
