#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = Int8Scaling;
using Sums = Scaling::Sums;
constexpr int64_t kInputsPerWord = 4;

ALIGNSAE_INLINE Sums Combine(Sums sums, __m512i x, __m512i w) {
  return reinterpret_cast<Sums>(
      _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums), x, w));
}

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_body.inc"

namespace alignsae {

void SmallGemmInt8(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
