#include <immintrin.h>

#include "model/kernels/finish.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"
#include "model/kernels/vectors.h"

namespace alignsae {
namespace {

using Scaling = Int8Scaling;
constexpr int64_t kInputsPerWord = 4;

}  // namespace
}  // namespace alignsae

#define ALIGNSAE_TILE_DOT(sums, x, w) _tile_dpbusd(sums, x, w)
#include "model/kernels/small_gemm_tiles.inc"

namespace alignsae {

void SmallGemmInt8Tiles(const GemmTask& task) { RunTiles(task); }

}  // namespace alignsae
