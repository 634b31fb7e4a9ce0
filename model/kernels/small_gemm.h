// Matrix products of a few rows with weights that are streamed from memory.
//
// A decode step multiplies 1 to some 100 rows by every weight of the model
// once. oneDNN reaches the processor's peak where weights lie in a cache, but
// waits for memory between its blocks; these kernels fetch the next block while
// they multiply by this one. They read the layout that oneDNN chose, so that
// both use the same weights: blocks of 64 columns,
//
//   float32    [I, 64]
//   bfloat16   [I / 2, 64, 2]
//   int8       [I / 4, 64, 4]
//
// Where the processor has AMX tiles, a second kernel multiplies by these: from
// some 8 rows on it is several times as fast, and takes any number of rows.
//
// A processor that has AVX2 and lacks the instructions for a type has a kernel
// of its own for it, for any number of rows, and reads blocks of 16 columns,
// which oneDNN does not share:
//
//   float32    [I, 16]
//   bfloat16   [I / 2, 16, 2]
//   int8       [I / 4, 16, 4]
//
// A row's result does not depend on the other rows, nor on how many there are,
// as long as the same kernel runs (by oneDNN without AVX-512 it does: rows at
// the end have other bits in float32). Sums of int8 are exact in all of them;
// those of bfloat16 run in other orders.
//
// Letters in shapes: M rows, I inputs, O outputs.
//
// Thread-safety: pure functions; SmallGemm() from any thread.

#ifndef ALIGNSAE_MODEL_KERNELS_SMALL_GEMM_H_
#define ALIGNSAE_MODEL_KERNELS_SMALL_GEMM_H_

#include <cstdint>

#include "model/kernels/kernels.h"

namespace alignsae {

inline constexpr int kColumnBlock = 64;
inline constexpr int kNarrowColumnBlock = 16;  // Of the kernels for AVX2.
// Of the kernels for AVX-512 without tiles.
inline constexpr int64_t kMaxSmallGemmRows = 128;

enum class GemmFinish { kStore, kAdd, kGelu };

// Columns [0, columns) of y = finish(x W + bias). The pointers of weights,
// bias, scales and y are those of the first block's first column.
struct GemmTask {
  const void* x = nullptr;  // [M, I] float32, bfloat16 or uint8 (see quantize).
  int64_t rows = 0;         // M
  // I; a multiple of 16, for AVX2 of the inputs that a block has side by side.
  int64_t inputs = 0;
  const void* blocks = nullptr;
  int64_t columns = 0;
  // What this thread will most likely read next: its beginning is fetched while
  // the last block is multiplied by. May be null, or memory that has gone.
  const void* after = nullptr;
  const float* bias = nullptr;  // May be null.
  // int8 only, as in Int8Epilogue.
  const float* row_scales = nullptr;
  const float* column_scales = nullptr;
  const int32_t* column_sums = nullptr;
  GemmFinish finish = GemmFinish::kStore;
  // [M, O], rows `y_stride` numbers apart; exactly one is set. kAdd: float32.
  float* y = nullptr;
  Bf16* narrow_y = nullptr;
  int64_t y_stride = 0;
};

using GemmKernel = void (*)(const GemmTask&);

// The kernels that this machine runs; null where it lacks the instructions.
struct SmallGemmKernels {
  GemmKernel f32 = nullptr;   // AVX-512.
  GemmKernel bf16 = nullptr;  // AVX-512 with its bfloat16 dot product.
  GemmKernel int8 = nullptr;  // AVX-512 with VNNI.
  // AVX-512 and AMX tiles.
  GemmKernel bf16_tiles = nullptr;
  GemmKernel int8_tiles = nullptr;
  // AVX2 with FMA.
  GemmKernel f32_avx2 = nullptr;
  GemmKernel bf16_avx2 = nullptr;
  GemmKernel int8_avx2 = nullptr;
};
const SmallGemmKernels& SmallGemm();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_SMALL_GEMM_H_
