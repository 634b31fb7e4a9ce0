#include "server/process/memory_trimmer.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "absl/time/time.h"

namespace alignsae {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(1);
// Growth that is worth the work, and so little that the memory is back within a
// few per cent of what it was.
constexpr int64_t kMuch = 8 << 20;
// Looks between two trims.
constexpr int kRest = 5;

}  // namespace

int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

MemoryTrimmer::MemoryTrimmer() : thread_([this] { Loop(); }) {}

MemoryTrimmer::~MemoryTrimmer() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void MemoryTrimmer::Loop() {
  int64_t least = ResidentBytes();
  int rest = 0;
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!stopping_) changed_.WaitFor(&mutex_, kEvery);
      if (stopping_) return;
    }
    const int64_t resident = ResidentBytes();
    // What is in use now may be free at the next look, so that it is tried for
    // as long as there is more than there once was.
    least = std::min(least, resident);
    if (rest > 0) --rest;
    if (rest > 0 || resident < least + kMuch) continue;
    malloc_trim(0);
    rest = kRest;
  }
}

}  // namespace alignsae
