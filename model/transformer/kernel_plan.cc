#include "model/transformer/kernel_plan.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "model/kernels/cpu_features.h"
#include "model/kernels/small_gemm.h"

namespace alignsae {
namespace {

// Rows up to which kernels without tiles are as fast as those with them.
constexpr int64_t RowsBesideTiles(WeightType type) {
  return type == WeightType::kBf16 ? 4 : 8;
}

GemmPath FirstChoice(WeightType type, int64_t rows) {
  const bool tiles = CanRun(GemmPath::kTiles, type);
  if (tiles && rows > RowsBesideTiles(type)) {
    // int8 keeps what follows the product in one pass with it.
    const bool ours = type == WeightType::kInt8 || rows <= kMaxSmallGemmRows;
    return ours ? GemmPath::kTiles : GemmPath::kOneDnn;
  }
  return CanRun(GemmPath::kVectors, type, rows) ? GemmPath::kVectors
                                                : GemmPath::kOneDnn;
}

size_t PlaceOf(int64_t rows) {
  const auto* found =
      std::lower_bound(kPlannedRows.begin(), kPlannedRows.end(), rows);
  return found == kPlannedRows.end() ? kPlannedRows.size() - 1
                                     : found - kPlannedRows.begin();
}

}  // namespace

const char* GemmPathName(GemmPath path) {
  switch (path) {
    case GemmPath::kVectors:
      return "vectors";
    case GemmPath::kTiles:
      return "tiles";
    case GemmPath::kOneDnn:
      return "oneDNN";
  }
  return "unknown";
}

bool HasNarrowLayout(WeightType type) {
  const SmallGemmKernels& kernels = SmallGemm();
  switch (type) {
    case WeightType::kF32:
      return kernels.f32 == nullptr && kernels.f32_avx2 != nullptr;
    case WeightType::kBf16:
      return kernels.bf16 == nullptr && kernels.bf16_avx2 != nullptr;
    case WeightType::kInt8:
      return kernels.int8 == nullptr && kernels.int8_avx2 != nullptr;
  }
  return false;
}

bool CanRun(GemmPath path, WeightType type) {
  const SmallGemmKernels& kernels = SmallGemm();
  switch (path) {
    case GemmPath::kVectors:
      return HasNarrowLayout(type) ||
             (type == WeightType::kF32    ? kernels.f32
              : type == WeightType::kBf16 ? kernels.bf16
                                          : kernels.int8) != nullptr;
    case GemmPath::kTiles:
      return type != WeightType::kF32 &&
             (type == WeightType::kBf16 ? kernels.bf16_tiles
                                        : kernels.int8_tiles) != nullptr;
    case GemmPath::kOneDnn:
      return !HasNarrowLayout(type);
  }
  return false;
}

bool CanRun(GemmPath path, WeightType type, int64_t rows) {
  return CanRun(path, type) &&
         (path != GemmPath::kVectors || rows <= kMaxSmallGemmRows ||
          HasNarrowLayout(type));
}

std::string InWords(const MatrixShape& shape) {
  return absl::StrCat(WeightTypeName(shape.type), " ", shape.inputs, "x",
                      shape.outputs);
}

KernelPlan::KernelPlan(WeightType type) {
  for (size_t i = 0; i < kPlannedRows.size(); ++i) {
    paths_[i] = FirstChoice(type, kPlannedRows[i]);
  }
}

GemmPath KernelPlan::PathFor(int64_t rows) const {
  return paths_[PlaceOf(rows)].load(std::memory_order_relaxed);
}

PlannedPaths KernelPlan::paths() const {
  PlannedPaths paths;
  std::copy(paths_.begin(), paths_.end(), paths.begin());
  return paths;
}

void KernelPlan::Take(const PlannedPaths& measured) {
  std::copy(measured.begin(), measured.end(), paths_.begin());
  measured_ = true;
}

std::string KernelPlan::Sentence() const {
  const PlannedPaths all = paths();
  std::string text;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool last = i + 1 == all.size();
    if (!last && all[i] == all[i + 1]) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", GemmPathName(all[i]));
    if (!last) {
      absl::StrAppend(&text, " to ", kPlannedRows[i],
                      kPlannedRows[i] == 1 ? " row" : " rows");
    } else if (text.find(',') != std::string::npos) {
      absl::StrAppend(&text, " beyond");
    }
  }
  return absl::StrCat(text, measured_ ? " (measured)" : " (as built in)");
}

KernelPlan& PlanOf(const MatrixShape& shape) {
  static std::mutex mutex;
  static auto& plans = *new std::map<MatrixShape, KernelPlan>;  // To the end.
  const std::lock_guard lock(mutex);
  return plans.try_emplace(shape, shape.type).first->second;
}

}  // namespace alignsae
