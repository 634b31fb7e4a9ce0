// FakeClock: time that stands still until a test moves it.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_TESTS_SUPPORT_FAKE_CLOCK_H_
#define ALIGNSAE_TESTS_SUPPORT_FAKE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/mutex.h"

namespace alignsae {

class FakeClock : public Clock {
 public:
  absl::Time Now() const override {
    MutexLock lock(&mutex_);
    return now_;
  }
  void Advance(absl::Duration by) {
    MutexLock lock(&mutex_);
    now_ += by;
  }

 private:
  mutable Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1000);
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_FAKE_CLOCK_H_
