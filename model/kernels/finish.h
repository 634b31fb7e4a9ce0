// What follows the sums of a product of few rows: scales, bias, activation and
// the store. For sources of this folder that are compiled for AVX-512 or AVX2;
// internal linkage throughout, as vectors.h says.

#ifndef ALIGNSAE_MODEL_KERNELS_FINISH_H_
#define ALIGNSAE_MODEL_KERNELS_FINISH_H_

#include <immintrin.h>

#include "model/kernels/small_gemm.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

// The first lanes of a vector, of which `left` numbers are left: what lies
// behind them is neither read nor written.
#if defined(__AVX512F__)
using Lanes = __mmask16;
ALIGNSAE_INLINE Lanes LanesOf(int64_t left) {
  if (left >= kLanes) return 0xffff;
  return left <= 0 ? 0 : static_cast<__mmask16>((1u << left) - 1);
}
ALIGNSAE_INLINE Floats LoadLanes(Lanes lanes, const float* from) {
  return reinterpret_cast<Floats>(_mm512_maskz_loadu_ps(lanes, from));
}
ALIGNSAE_INLINE Ints LoadLanes(Lanes lanes, const int32_t* from) {
  return reinterpret_cast<Ints>(_mm512_maskz_loadu_epi32(lanes, from));
}
ALIGNSAE_INLINE void StoreLanes(Lanes lanes, Floats x, float* to) {
  _mm512_mask_storeu_ps(to, lanes, reinterpret_cast<__m512>(x));
}
ALIGNSAE_INLINE void StoreLanes(Lanes lanes, Floats x, Bf16* to) {
  _mm256_mask_storeu_epi16(to, lanes, reinterpret_cast<__m256i>(Narrowed(x)));
}
#else
using Lanes = int;
ALIGNSAE_INLINE Lanes LanesOf(int64_t left) {
  return left >= kLanes ? kLanes : static_cast<int>(left);
}
template <typename Vector, typename E>
ALIGNSAE_INLINE Vector LoadPart(int lanes, const E* from) {
  E part[kLanes] = {};
  for (int i = 0; i < lanes; ++i) part[i] = from[i];
  Vector x;
  __builtin_memcpy(&x, part, sizeof(x));
  return x;
}
ALIGNSAE_INLINE Floats LoadLanes(Lanes lanes, const float* from) {
  return lanes == kLanes ? Load(from) : LoadPart<Floats>(lanes, from);
}
ALIGNSAE_INLINE Ints LoadLanes(Lanes lanes, const int32_t* from) {
  return LoadPart<Ints>(lanes, from);
}
template <typename E>
ALIGNSAE_INLINE void StoreLanes(Lanes lanes, Floats x, E* to) {
  if (lanes == kLanes) return Store(x, to);
  E all[kLanes];
  Store(x, all);
  for (int i = 0; i < lanes; ++i) to[i] = all[i];
}
#endif

// Sums that are float32 already.
struct FloatScaling {
#if defined(__AVX512F__)
  using Sums = __m512;
#else
  using Sums = Floats;
#endif

  ALIGNSAE_INLINE FloatScaling(const GemmTask&, int64_t, Lanes) {}
  ALIGNSAE_INLINE Floats Real(const GemmTask&, int64_t, Sums sums) const {
    return reinterpret_cast<Floats>(sums);
  }
};

// Sums of int8, scaled.
struct SignedScaling {
  // Not __m512i, which may alias everything: GCC would keep the sums in memory.
  using Sums = Ints;

  ALIGNSAE_INLINE SignedScaling(const GemmTask& task, int64_t column,
                                Lanes lanes)
      : scales(LoadLanes(lanes, task.column_scales + column)) {}
  ALIGNSAE_INLINE Floats Real(const GemmTask& task, int64_t row,
                              Sums sums) const {
    return __builtin_convertvector(sums, Floats) *
           (scales * task.row_scales[row]);
  }

  Floats scales;
};

// Of sums that have the 128 which `quantize` adds to every input.
struct Int8Scaling : SignedScaling {
  ALIGNSAE_INLINE Int8Scaling(const GemmTask& task, int64_t column, Lanes lanes)
      : SignedScaling(task, column, lanes),
        offsets(128 * LoadLanes(lanes, task.column_sums + column)) {}
  ALIGNSAE_INLINE Floats Real(const GemmTask& task, int64_t row,
                              Sums sums) const {
    return SignedScaling::Real(task, row, sums - offsets);
  }

  Ints offsets;
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
        bias_(task.bias == nullptr ? Floats{}
                                   : LoadLanes(lanes_, task.bias + column)) {}

  ALIGNSAE_INLINE void Store(const GemmTask& task, int64_t row,
                             typename Scaling::Sums sums) const {
    Floats result = scaling_.Real(task, row, sums) + bias_;
    const int64_t at = row * task.y_stride + column_;
    if (task.finish == GemmFinish::kAdd) {
      result += LoadLanes(lanes_, task.y + at);
    } else if (task.finish == GemmFinish::kGelu) {
      result = GeluTanh(result);
    }
    if (task.y != nullptr) {
      StoreLanes(lanes_, result, task.y + at);
    } else {
      StoreLanes(lanes_, result, task.narrow_y + at);
    }
  }

 private:
  int64_t column_;
  Lanes lanes_;
  Scaling scaling_;
  Floats bias_;
};

}  // namespace
}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_FINISH_H_
