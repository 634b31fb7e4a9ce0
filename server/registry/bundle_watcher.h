// BundleWatcher: looks once a second whether what is served lies on disk in
// another version, and has it reloaded.
//
// Watching by looking: a change of a mounted volume or of a link tells nobody.
// A new version must appear as a whole, by a rename (of the bundle's directory
// or of a link to it).
//
// Threads: one of its own, which blocks while something is loaded.
// Thread-safety: Stop from one thread.

#ifndef ALIGNSAE_SERVER_REGISTRY_BUNDLE_WATCHER_H_
#define ALIGNSAE_SERVER_REGISTRY_BUNDLE_WATCHER_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "server/registry/model_operator.h"

namespace alignsae {

class BundleWatcher {
 public:
  // `models` must outlive it.
  explicit BundleWatcher(ModelOperator* models);
  // Stop().
  ~BundleWatcher() { Stop(); }
  BundleWatcher(const BundleWatcher&) = delete;
  BundleWatcher& operator=(const BundleWatcher&) = delete;

  // Blocks until a load that runs has ended. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  ModelOperator* const models_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_BUNDLE_WATCHER_H_
