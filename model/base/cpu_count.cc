#include "model/base/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"

namespace alignsae {
namespace {

// Of the process's affinity mask. Not std::thread::hardware_concurrency(),
// which counts those that are online with some versions of glibc (2.36).
int AllowedCpus() {
  // The kernel refuses a mask that is shorter than its own.
  for (int bits = CPU_SETSIZE; bits <= 1 << 20; bits *= 2) {
    cpu_set_t* const mask = CPU_ALLOC(bits);
    if (mask == nullptr) return 1;
    const size_t size = CPU_ALLOC_SIZE(bits);
    const bool known = sched_getaffinity(0, size, mask) == 0;
    const int count = known ? CPU_COUNT_S(size, mask) : 0;
    CPU_FREE(mask);
    if (known) return std::max(1, count);
  }
  return 1;
}

}  // namespace

int CpusOfQuota(absl::string_view cpu_max) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(cpu_max, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  int64_t quota = 0;
  int64_t period = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &quota) ||
      !absl::SimpleAtoi(parts[1], &period) || quota <= 0 || period <= 0) {
    return 0;
  }
  return static_cast<int>((quota + period - 1) / period);
}

int AvailableCpus() {
  const int allowed = AllowedCpus();
  const absl::StatusOr<std::string> limit =
      ReadFile("/sys/fs/cgroup/cpu.max", 256);
  const int granted = limit.ok() ? CpusOfQuota(*limit) : 0;
  return granted > 0 ? std::min(allowed, granted) : allowed;
}

}  // namespace alignsae
