// Clock: time as the scheduler sees it, so that tests decide what time it is.
//
// Thread-safety: Now() from any thread.

#ifndef ALIGNSAE_MODEL_BASE_CLOCK_H_
#define ALIGNSAE_MODEL_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace alignsae {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class RealClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_CLOCK_H_
