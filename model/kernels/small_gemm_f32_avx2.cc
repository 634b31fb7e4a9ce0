#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = FloatScaling;
constexpr int kRows = 6;
constexpr int64_t kInputsPerStep = 1;

// Each vector has the sums of 8 columns.
template <int Rows>
class Accumulators {
 public:
  ALIGNSAE_INLINE void Step(const char* x, int64_t x_stride,
                            const char* weights) {
    __m256 w[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      w[v] = _mm256_loadu_ps(reinterpret_cast<const float*>(weights) + v * 8);
    }
    for (int m = 0; m < Rows; ++m) {
      float number;
      __builtin_memcpy(&number, x + m * x_stride, sizeof(number));
      const __m256 input = _mm256_set1_ps(number);
      for (int v = 0; v < kVectors; ++v) {
        sums_[m][v] = reinterpret_cast<Part>(_mm256_fmadd_ps(
            input, w[v], reinterpret_cast<__m256>(sums_[m][v])));
      }
    }
  }

  ALIGNSAE_INLINE Floats Of(int row) const {
    return __builtin_shufflevector(sums_[row][0], sums_[row][1], 0, 1, 2, 3, 4,
                                   5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }

 private:
  // Not __m256, which may alias everything: GCC would keep the sums in memory.
  using Part = float __attribute__((vector_size(32)));
  static constexpr int kVectors = 2;

  Part sums_[Rows][kVectors] = {};
};

}  // namespace
}  // namespace alignsae

#include "model/kernels/small_gemm_avx2.inc"

namespace alignsae {

void SmallGemmF32Avx2(const GemmTask& task) { RunGemm(task); }

}  // namespace alignsae
