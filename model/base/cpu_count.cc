#include "model/base/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"

namespace alignsae {
namespace {

// Of the process's affinity mask. std::thread::hardware_concurrency() counts
// those that are online with some versions of glibc (2.36).
int AllowedCpus() {
  std::array<cpu_set_t, 8> mask = {};  // 8192 processors, Linux's most.
  if (sched_getaffinity(0, sizeof(mask), mask.data()) == 0) {
    return CPU_COUNT_S(sizeof(mask), mask.data());
  }
  return static_cast<int>(std::thread::hardware_concurrency());
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
  const int allowed = std::max(1, AllowedCpus());
  const absl::StatusOr<std::string> limit =
      ReadFile("/sys/fs/cgroup/cpu.max", 256);
  const int granted = limit.ok() ? CpusOfQuota(*limit) : 0;
  return granted > 0 ? std::min(allowed, granted) : allowed;
}

}  // namespace alignsae
