// What follows the sums of a product of few rows: scales, bias, activation and
// the store. For sources of this folder that are compiled for AVX-512; internal
// linkage throughout, as vectors.h says.

#ifndef ALIGNSAE_MODEL_KERNELS_FINISH_H_
#define ALIGNSAE_MODEL_KERNELS_FINISH_H_

#include <immintrin.h>

#include "model/kernels/small_gemm.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

// Sums that are float32 already.
struct FloatScaling {
  using Sums = __m512;

  ALIGNSAE_INLINE FloatScaling(const GemmTask&, int64_t, __mmask16) {}
  ALIGNSAE_INLINE Floats Real(const GemmTask&, int64_t, Sums sums) const {
    return reinterpret_cast<Floats>(sums);
  }
};

// The sums without the 128 that `quantize` adds to every input, scaled.
struct Int8Scaling {
  // Not __m512i, which may alias everything: GCC would keep the sums in memory.
  using Sums = Ints;

  ALIGNSAE_INLINE Int8Scaling(const GemmTask& task, int64_t column,
                              __mmask16 lanes)
      : offsets(128 * reinterpret_cast<Ints>(_mm512_maskz_loadu_epi32(
                          lanes, task.column_sums + column))),
        scales(reinterpret_cast<Floats>(
            _mm512_maskz_loadu_ps(lanes, task.column_scales + column))) {}
  ALIGNSAE_INLINE Floats Real(const GemmTask& task, int64_t row,
                              Sums sums) const {
    return __builtin_convertvector(sums - offsets, Floats) *
           (scales * task.row_scales[row]);
  }

  Ints offsets;
  Floats scales;
};

// What is fetched while `block` of the task is multiplied by.
ALIGNSAE_INLINE const char* NextBlock(const GemmTask& task, int64_t block,
                                      int64_t block_bytes) {
  const bool last = (block + 1) * kColumnBlock >= task.columns;
  return last && task.after != nullptr ? static_cast<const char*>(task.after)
                                       : static_cast<const char*>(task.blocks) +
                                             (block + 1) * block_bytes;
}

// The 16 columns from `column` on, of which those behind the last are left out.
template <typename Scaling>
class ColumnFinish {
 public:
  ALIGNSAE_INLINE ColumnFinish(const GemmTask& task, int64_t column)
      : column_(column),
        lanes_(LanesOf(task.columns - column)),
        scaling_(task, column, lanes_),
        bias_(task.bias == nullptr ? Floats{} : Load(task.bias + column)) {}

  ALIGNSAE_INLINE void Store(const GemmTask& task, int64_t row,
                             typename Scaling::Sums sums) const {
    Floats result = scaling_.Real(task, row, sums) + bias_;
    const int64_t at = row * task.y_stride + column_;
    if (task.finish == GemmFinish::kAdd) {
      result += Load(task.y + at);
    } else if (task.finish == GemmFinish::kGelu) {
      result = GeluTanh(result);
    }
    if (task.y != nullptr) {
      _mm512_mask_storeu_ps(task.y + at, lanes_,
                            reinterpret_cast<__m512>(result));
      return;
    }
    _mm256_mask_storeu_epi16(task.narrow_y + at, lanes_,
                             reinterpret_cast<__m256i>(Narrowed(result)));
  }

 private:
  ALIGNSAE_INLINE static __mmask16 LanesOf(int64_t left) {
    if (left >= kLanes) return 0xffff;
    return left <= 0 ? 0 : static_cast<__mmask16>((1u << left) - 1);
  }
  ALIGNSAE_INLINE Floats Load(const float* at) const {
    return reinterpret_cast<Floats>(_mm512_maskz_loadu_ps(lanes_, at));
  }

  int64_t column_;
  __mmask16 lanes_;
  Scaling scaling_;
  Floats bias_;
};

}  // namespace
}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_FINISH_H_
