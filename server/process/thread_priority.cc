#include "server/process/thread_priority.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace alignsae {
namespace {

constexpr int kLowNice = 10;

}  // namespace

void LowerPriority() {
  const sched_param none = {};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
  const id_t thread = static_cast<id_t>(syscall(SYS_gettid));
  setpriority(PRIO_PROCESS, thread,
              getpriority(PRIO_PROCESS, thread) + kLowNice);
}

}  // namespace alignsae
