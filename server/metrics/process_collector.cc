#include "server/metrics/process_collector.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace alignsae {
namespace {

// Fields of /proc/self/stat by their numbers in proc(5).
struct Stat {
  uint64_t user_ticks = 0;      // 14
  uint64_t system_ticks = 0;    // 15
  uint64_t threads = 0;         // 20
  uint64_t start_ticks = 0;     // 22, since boot.
  uint64_t virtual_bytes = 0;   // 23
  uint64_t resident_pages = 0;  // 24
};

std::optional<Stat> ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  // Field 2 is the program's name in parentheses, which may hold blanks.
  if (!std::getline(file, text)) return std::nullopt;
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  Stat stat;
  std::string field;
  for (int number = 3; number <= 24; ++number) {
    if (!(fields >> field)) return std::nullopt;
    const uint64_t value = std::strtoull(field.c_str(), nullptr, 10);
    if (number == 14) stat.user_ticks = value;
    if (number == 15) stat.system_ticks = value;
    if (number == 20) stat.threads = value;
    if (number == 22) stat.start_ticks = value;
    if (number == 23) stat.virtual_bytes = value;
    if (number == 24) stat.resident_pages = value;
  }
  return stat;
}

// Seconds since the epoch at which the machine booted.
std::optional<double> BootTime() {
  std::ifstream file("/proc/stat");
  std::string key;
  while (file >> key) {
    double value = 0;
    if (key == "btime" && file >> value) return value;
    file.ignore(1 << 20, '\n');
  }
  return std::nullopt;
}

std::optional<double> OpenFds() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return std::nullopt;
  double count = -3;  // ".", ".." and the descriptor of this loop.
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

prometheus::MetricFamily Metric(const char* name, const char* help,
                                prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  metric.counter.value = value;
  metric.gauge.value = value;
  return {name, help, type, {metric}};
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessCollector::Collect() const {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families;
  const auto gauge = [&families](const char* name, const char* help,
                                 std::optional<double> value) {
    if (!value.has_value()) return;
    families.push_back(Metric(name, help, MetricType::Gauge, *value));
  };
  if (const std::optional<Stat> stat = ReadStat(); stat.has_value()) {
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    families.push_back(Metric(
        "process_cpu_seconds_total", "User and system CPU time.",
        MetricType::Counter,
        static_cast<double>(stat->user_ticks + stat->system_ticks) / ticks));
    gauge("process_resident_memory_bytes", "Resident memory.",
          static_cast<double>(stat->resident_pages) *
              static_cast<double>(sysconf(_SC_PAGESIZE)));
    gauge("process_virtual_memory_bytes", "Virtual memory.",
          static_cast<double>(stat->virtual_bytes));
    gauge("process_threads", "Threads.", static_cast<double>(stat->threads));
    if (const std::optional<double> boot = BootTime(); boot.has_value()) {
      gauge("process_start_time_seconds", "Start, in seconds since the epoch.",
            *boot + static_cast<double>(stat->start_ticks) / ticks);
    }
  }
  gauge("process_open_fds", "Open file descriptors.", OpenFds());
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    gauge("process_max_fds", "File descriptors that may be open.",
          static_cast<double>(limit.rlim_cur));
  }
  return families;
}

}  // namespace alignsae
