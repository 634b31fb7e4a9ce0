#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = FloatScaling;
using Sums = Scaling::Sums;
constexpr int64_t kInputsPerWord = 1;

ALIGNSAE_INLINE Sums Combine(Sums sums, __m512i x, __m512i w) {
  return _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(w), sums);
}

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_body.inc"

namespace alignsae {

void SmallGemmF32(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
