#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = FloatScaling;
constexpr int64_t kInputsPerWord = 2;

}  // namespace
}  // namespace alignsae

#define ALIGNSAE_TILE_DOT(sums, x, w) _tile_dpbf16ps(sums, x, w)
#include "model/kernels/small_gemm_tiles.inc"

namespace alignsae {

void SmallGemmBf16Tiles(const GemmTask& task) { RunTiles(task); }

}  // namespace alignsae
