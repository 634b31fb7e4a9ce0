#include "model/kernels/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstring>

namespace alignsae {
namespace {

#if defined(__x86_64__)
// Linux saves the 8 KiB of tiles only for processes that have asked; the answer
// holds for all threads. Systems that know nothing of tiles refuse.
bool TilesPermitted() {
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

void DetectTiles(CpuFeatures& features) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!features.avx512 || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return;
  const auto has = [d](int bit) { return (d >> bit & 1) != 0; };
  if (!has(24) || !TilesPermitted()) return;  // AMX-TILE
  features.amx_bf16 = has(22);
  features.amx_int8 = has(25);
}
#endif

CpuFeatures Detect() {
  CpuFeatures features;
#if defined(__x86_64__)
  // Also says no where the operating system does not save the registers.
  __builtin_cpu_init();
  features.avx2_fma =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  features.avx512 = features.avx2_fma && __builtin_cpu_supports("avx512f") &&
                    __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
  features.avx512_bf16 =
      features.avx512 && __builtin_cpu_supports("avx512bf16");
  features.avx512_vnni =
      features.avx512 && __builtin_cpu_supports("avx512vnni");
  DetectTiles(features);
#endif
  return features;
}

}  // namespace

const CpuFeatures& ThisCpu() {
  static const CpuFeatures features = Detect();
  return features;
}

std::string CpuName() {
#if defined(__x86_64__)
  constexpr unsigned kFirst = 0x80000002;  // Three leaves of 16 characters.
  unsigned words[13] = {};
  for (unsigned i = 0; i < 3; ++i) {
    unsigned* part = words + 4 * i;
    if (__get_cpuid(kFirst + i, part, part + 1, part + 2, part + 3) == 0) {
      return "";
    }
  }
  char text[sizeof(words)];
  std::memcpy(text, words, sizeof(words));
  return text;
#else
  return "";
#endif
}

}  // namespace alignsae
