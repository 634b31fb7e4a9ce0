// WorkerPool: a few threads for what is too slow for gRPC's callback threads,
// of which there are two on a small machine, shared with health checks.
//
// Thread-safety: thread-safe. Tasks must not throw.

#ifndef ALIGNSAE_SERVER_PROCESS_WORKER_POOL_H_
#define ALIGNSAE_SERVER_PROCESS_WORKER_POOL_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"

namespace alignsae {

class WorkerPool {
 public:
  // `max_waiting`: tasks of TrySchedule that may wait.
  WorkerPool(int threads, size_t max_waiting);
  // Runs what waits, then ends the threads.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and nothing is taken, when too many tasks wait: for new work.
  bool TrySchedule(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Always: for work that was admitted already and must be brought to its end.
  void Schedule(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t max_waiting_;
  Mutex mutex_;
  CondVar changed_;
  // What was admitted goes first, or a flood of new work would starve it.
  std::deque<std::function<void()>> admitted_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> new_work_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_WORKER_POOL_H_
