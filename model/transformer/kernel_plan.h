// Which kernel multiplies by a matrix of some shape, by the number of rows.
//
// One plan for each shape and number type in the process: it is a fact of the
// processor and the shape, not of a model. It starts as what is right for the
// processors that the kernels were written on, by their instructions, so that
// two starts compute the same; kernel_tuning.h replaces it by what it measures.
// One step multiplies all of its rows by one kernel: equal arms stay equal.
//
// Thread-safety: all functions from any thread. A plan changes only before the
// first model of its shapes serves.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_KERNEL_PLAN_H_
#define ALIGNSAE_MODEL_TRANSFORMER_KERNEL_PLAN_H_

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <string>

#include "model/transformer/weight_type.h"

namespace alignsae {

enum class GemmPath : uint8_t {
  // small_gemm.h, up to kMaxSmallGemmRows; in a narrow layout any number of
  // rows, and then the only path.
  kVectors,
  kTiles,  // small_gemm.h by AMX tiles
  kOneDnn,
};

// "vectors", "tiles" or "oneDNN".
const char* GemmPathName(GemmPath path);
// Whether AVX2 is what this processor has for the type. Kernels of our own are
// the only ones then, and their layout is narrow_layout.h's: oneDNN has no
// product of bfloat16 or int8 that is faster than float32, and in float32 a
// row's last bits depend on its place among the rows.
bool HasNarrowLayout(WeightType type);

// Whether this processor has the instructions for it, for any number of rows.
bool CanRun(GemmPath path, WeightType type);
// ... for so many.
bool CanRun(GemmPath path, WeightType type, int64_t rows);

// y = x W with W [inputs, outputs].
struct MatrixShape {
  WeightType type = WeightType::kF32;
  int64_t inputs = 0;
  int64_t outputs = 0;

  auto operator<=>(const MatrixShape&) const = default;
};

// "int8 768x3072"
std::string InWords(const MatrixShape& shape);

// Numbers of rows that a plan decides for. What lies between two of them goes
// with the larger, what lies behind the last with the last.
inline constexpr std::array<int64_t, 9> kPlannedRows = {1,  2,  4,   8,  16,
                                                        32, 64, 128, 256};
using PlannedPaths = std::array<GemmPath, kPlannedRows.size()>;

class KernelPlan {
 public:
  explicit KernelPlan(WeightType type);

  GemmPath PathFor(int64_t rows) const;
  PlannedPaths paths() const;
  bool measured() const { return measured_; }
  void Take(const PlannedPaths& measured);
  // "vectors to 8 rows, tiles to 128, oneDNN from there (measured)"
  std::string Sentence() const;

 private:
  std::array<std::atomic<GemmPath>, kPlannedRows.size()> paths_;
  std::atomic<bool> measured_{false};
};

// That of the process; it stays where it is.
KernelPlan& PlanOf(const MatrixShape& shape);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_KERNEL_PLAN_H_
