#include "server/process/wake_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

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

}  // namespace alignsae
