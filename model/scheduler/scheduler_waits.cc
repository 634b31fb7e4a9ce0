// What blocks, and what wakes it: the part of Scheduler that waits for work,
// for its end, and for everybody's.

#include "model/scheduler/scheduler.h"

namespace alignsae {

bool Scheduler::WaitForWork() {
  if (!running_.empty()) return true;
  MutexLock lock(&mutex_);
  while (admission_.empty() && !end_all_) changed_.Wait(&mutex_);
  return !admission_.empty();
}

bool Scheduler::HasWork() const {
  if (!running_.empty()) return true;
  MutexLock lock(&mutex_);
  return !admission_.empty();
}

void Scheduler::RefuseNew() {
  MutexLock lock(&mutex_);
  admission_.RefuseNew();
}

bool Scheduler::WaitUntilIdle(absl::Duration timeout) {
  const absl::Time end = clock_->Now() + timeout;
  MutexLock lock(&mutex_);
  while (!admission_.empty() || busy_) {
    const absl::Duration left = end - clock_->Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
  return true;
}

void Scheduler::EndAll() {
  MutexLock lock(&mutex_);
  admission_.RefuseNew();
  end_all_ = true;
  changed_.NotifyAll();
}

}  // namespace alignsae
