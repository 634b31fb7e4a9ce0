#include "model/kernels/kernels.h"

#include <vector>

#include "model/kernels/cpu_features.h"
#include "model/kernels/small_gemm.h"
#include "model/kernels/tables.h"

namespace alignsae {
namespace {

std::vector<const Kernels*> Usable() {
  std::vector<const Kernels*> sets;
#if defined(__x86_64__)
  if (ThisCpu().avx512) sets.push_back(&kKernelsAvx512);
  if (ThisCpu().avx2_fma) sets.push_back(&kKernelsAvx2);
#endif
  sets.push_back(&kKernelsBaseline);
  return sets;
}

const std::vector<const Kernels*>& Sets() {
  static const std::vector<const Kernels*> sets = Usable();
  return sets;
}

}  // namespace

const Kernels& CpuKernels() { return *Sets().front(); }

const SmallGemmKernels& SmallGemm() {
  static const SmallGemmKernels kernels = [] {
    SmallGemmKernels usable;
#if defined(__x86_64__)
    if (ThisCpu().avx512) usable.f32 = SmallGemmF32;
    if (ThisCpu().avx512_bf16) usable.bf16 = SmallGemmBf16;
    if (ThisCpu().avx512_vnni) usable.int8 = SmallGemmInt8;
    if (ThisCpu().amx_bf16) usable.bf16_tiles = SmallGemmBf16Tiles;
    if (ThisCpu().amx_int8) usable.int8_tiles = SmallGemmInt8Tiles;
    if (ThisCpu().avx2_fma) {
      usable.f32_avx2 = SmallGemmF32Avx2;
      usable.bf16_avx2 = SmallGemmBf16Avx2;
      usable.int8_avx2 = SmallGemmInt8Avx2;
    }
#endif
    return usable;
  }();
  return kernels;
}

KernelSets AllCpuKernels() { return {Sets().data(), Sets().size()}; }

}  // namespace alignsae
