// RefusalPace: when who asks again too early is told no.
//
// A refusal for want of room says when to ask again. Who asks before that costs
// as much as a call that is served, again and again, and others pay for it: the
// refusal of such a call is kept back until the time that its origin was told,
// so that an origin hears no more often than it was asked to ask. The first
// refusal is told at once, for who can go elsewhere.
//
// By origin (Owner), which a caller cannot choose freely: callers behind one
// proxy share its pace. Keeps what it was told for at most kMostOrigins
// origins, and nobody waits longer than kLongest.
//
// Blocks: nothing, beyond a mutex that is held for a look at a map.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_PROCESS_REFUSAL_PACE_H_
#define ALIGNSAE_SERVER_PROCESS_REFUSAL_PACE_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"

namespace alignsae {

class RefusalPace {
 public:
  static constexpr absl::Duration kLongest = absl::Seconds(1);
  static constexpr size_t kMostOrigins = 1024;

  // Until when to keep back a refusal of work of `origin` that tells it to ask
  // again after `retry_after`: `now`, or the time that `origin` was told
  // before.
  absl::Time TellAt(const std::string& origin, absl::Duration retry_after,
                    absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  // When each origin may ask again.
  std::map<std::string, absl::Time> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_REFUSAL_PACE_H_
