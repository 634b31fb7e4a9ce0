#include "model/base/cpu_count.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"

namespace alignsae {

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
  // Counts the processors of the process's affinity mask.
  const int allowed =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const absl::StatusOr<std::string> limit =
      ReadFile("/sys/fs/cgroup/cpu.max", 256);
  const int granted = limit.ok() ? CpusOfQuota(*limit) : 0;
  return granted > 0 ? std::min(allowed, granted) : allowed;
}

}  // namespace alignsae
