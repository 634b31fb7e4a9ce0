#include "server/process/free_memory.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/process/memory_trimmer.h"

namespace alignsae {
namespace {

// Where control groups tell of memory, version 2 and version 1.
struct Hierarchy {
  absl::string_view controllers;  // In /proc/self/cgroup.
  const char* root = "";
  const char* limit = "";
  const char* used = "";
  const char* unused = "";  // Pages of files that nobody uses, in memory.stat.
};
constexpr Hierarchy kHierarchies[] = {
    {"", "/sys/fs/cgroup", "/memory.max", "/memory.current", "inactive_file"},
    {"memory", "/sys/fs/cgroup/memory", "/memory.limit_in_bytes",
     "/memory.usage_in_bytes", "total_inactive_file"}};

// Of a file of the system, whose size is not told before it is read.
std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int64_t NumberOf(absl::string_view text) {
  int64_t number = -1;
  return absl::SimpleAtoi(text, &number) ? number : -1;
}

// The number behind `key` at the beginning of a line.
int64_t ValueOf(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() >= 2 && words[0] == key) return NumberOf(words[1]);
  }
  return -1;
}

int64_t LeftOf(const Hierarchy& of, const std::string& group) {
  const std::string directory = absl::StrCat(of.root, group);
  return LeftOfGroup(NumberOf(Contents(directory + of.limit)),
                     NumberOf(Contents(directory + of.used)),
                     ValueOf(Contents(directory + "/memory.stat"), of.unused));
}

}  // namespace

int64_t AvailableOfMeminfo(absl::string_view meminfo) {
  const int64_t kib = ValueOf(meminfo, "MemAvailable:");
  return kib < 0 ? -1 : kib * 1024;
}

std::string GroupOfProcess(absl::string_view cgroup,
                           absl::string_view controllers) {
  for (absl::string_view line : absl::StrSplit(cgroup, '\n')) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() == 3 && parts[1] == controllers) {
      return std::string(parts[2]);
    }
  }
  return "";
}

int64_t LeftOfGroup(int64_t limit, int64_t used, int64_t unused) {
  if (limit < 0 || used < 0) return -1;
  const int64_t needed = used - std::clamp<int64_t>(unused, 0, used);
  return std::max<int64_t>(0, limit - needed);
}

int64_t FreeMemory(int64_t budget) {
  int64_t least = std::numeric_limits<int64_t>::max();
  const auto at_most = [&least](int64_t bytes) {
    if (bytes >= 0) least = std::min(least, bytes);
  };
  at_most(AvailableOfMeminfo(Contents("/proc/meminfo")));
  const std::string groups = Contents("/proc/self/cgroup");
  for (const Hierarchy& of : kHierarchies) {
    // Every group above may be the one that is short.
    std::string group = GroupOfProcess(groups, of.controllers);
    at_most(LeftOf(of, ""));
    while (group.size() > 1) {
      at_most(LeftOf(of, group));
      group.resize(group.rfind('/'));
    }
  }
  if (budget > 0) at_most(std::max<int64_t>(0, budget - ResidentBytes()));
  return least;
}

}  // namespace alignsae
