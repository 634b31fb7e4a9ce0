// SlotWatchers: looks at what the slots of all checkpoints did, once a second,
// and hands the same look to every WatchSlots stream: one computation for all.
//
// Threads: a thread of its own takes the looks (Start); it calls the watchers,
// which do not block. Everything else from any thread.
// Ownership: a watcher is held from Join to Leave.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_API_SLOT_WATCHERS_H_
#define ALIGNSAE_SERVER_API_SLOT_WATCHERS_H_

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/mutex.h"
#include "server/metrics/metrics.h"
#include "server/metrics/slot_activity.h"

namespace alignsae {

inline constexpr absl::Duration kLookEvery = absl::Seconds(1);

// One look at everything.
struct SlotLook {
  struct Checkpoint {
    SlotActivity recent;  // Since the look before.
    CheckpointActivity all;
  };
  absl::Duration took;  // Time that `recent` is of.
  std::map<std::string, Checkpoint> checkpoints;
};

class SlotWatcher {
 public:
  virtual ~SlotWatcher() = default;
  // Must not block. No lock of SlotWatchers is held.
  virtual void Offer(std::shared_ptr<const SlotLook> look) = 0;
};

class SlotWatchers {
 public:
  // What they point to must outlive it.
  SlotWatchers(const Metrics* metrics, const Clock* clock, int max_watchers);
  ~SlotWatchers();
  SlotWatchers(const SlotWatchers&) = delete;
  SlotWatchers& operator=(const SlotWatchers&) = delete;

  // Begins to look, every kLookEvery. Once.
  void Start();

  // From now on the watcher gets every look; the newest one at once.
  // RESOURCE_EXHAUSTED, reason LIMIT, when there are too many.
  absl::Status Join(const std::shared_ptr<SlotWatcher>& watcher)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What has not joined, or has left, is ignored.
  void Leave(const SlotWatcher* watcher) ABSL_LOCKS_EXCLUDED(mutex_);

  // One look, here and now: also when something has changed that watchers are
  // to notice at once.
  void Look() ABSL_LOCKS_EXCLUDED(mutex_, look_mutex_);

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  const Metrics* const metrics_;
  const Clock* const clock_;
  const size_t max_watchers_;

  Mutex look_mutex_;  // Held over a look, so that looks follow each other.
  absl::Time looked_ ABSL_GUARDED_BY(look_mutex_);

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<SlotWatcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const SlotLook> newest_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_SLOT_WATCHERS_H_
