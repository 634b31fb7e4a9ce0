#include "model/kernels/kernels.h"

#include <vector>

#include "model/kernels/cpu_features.h"
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

KernelSets AllCpuKernels() { return {Sets().data(), Sets().size()}; }

}  // namespace alignsae
