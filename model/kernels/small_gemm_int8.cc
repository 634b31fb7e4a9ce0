#include <immintrin.h>

#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

// Not __m512i, which may alias everything: GCC would keep the sums in memory.
using Sums = Ints;
constexpr int64_t kInputsPerWord = 4;

ALIGNSAE_INLINE Sums Combine(Sums sums, __m512i x, __m512i w) {
  return reinterpret_cast<Sums>(
      _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums), x, w));
}

// The sums without the 128 that `quantize` adds to every input, scaled.
ALIGNSAE_INLINE Floats Real(const GemmTask& task, int64_t row, int64_t column,
                            __mmask16 lanes, Sums sums) {
  const Ints offsets = reinterpret_cast<Ints>(
      _mm512_maskz_loadu_epi32(lanes, task.column_sums + column));
  const Floats scales = reinterpret_cast<Floats>(
      _mm512_maskz_loadu_ps(lanes, task.column_scales + column));
  return __builtin_convertvector(sums - 128 * offsets, Floats) *
         (scales * task.row_scales[row]);
}

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_body.inc"

namespace alignsae {

void SmallGemmInt8(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
