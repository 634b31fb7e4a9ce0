#include "server/process/wake_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "absl/time/clock.h"

namespace alignsae {

WakeUp::WakeUp() : fd_(eventfd(0, EFD_CLOEXEC)) {}

void WakeUp::Set() {
  const uint64_t one = 1;
  while (write(fd_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

void WakeUp::Clear() {
  uint64_t count = 0;
  while (read(fd_.get(), &count, sizeof(count)) < 0 && errno == EINTR) {
  }
}

int PollMilliseconds(absl::Time time) {
  if (time == absl::InfiniteFuture()) return -1;
  const int64_t left = absl::ToInt64Milliseconds(time - absl::Now()) + 1;
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60000));
}

}  // namespace alignsae
