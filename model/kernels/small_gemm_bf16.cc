#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = FloatScaling;
using Sums = Scaling::Sums;
constexpr int64_t kInputsPerWord = 2;

ALIGNSAE_INLINE Sums Combine(Sums sums, __m512i x, __m512i w) {
  return _mm512_dpbf16_ps(sums, reinterpret_cast<__m512bh>(x),
                          reinterpret_cast<__m512bh>(w));
}

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_body.inc"

namespace alignsae {

void SmallGemmBf16(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
