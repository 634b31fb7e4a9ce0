// WorkerPool: the threads of one lane. See lanes.h for which work goes where.
//
// Two queues: what was admitted goes first, or a flood of new work would keep
// it from its end.
//
// Threads: TrySchedule, Schedule and waiting() from any thread; they take a
// lock for as long as a push takes. Stop from one thread that is none of the
// pool's. A task runs on a thread of the pool, may block it, and may schedule
// more work.
// Not for: work that a caller waits for (there is no result), or work with a
// time (there is no timer).
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
  enum class Priority {
    kNormal,
    // Where every processor is busy, a thread of this priority gets about a
    // tenth of one (ten nicer than the process, SCHED_BATCH): enough to come to
    // its end, too little to hold up the model's threads.
    kLow,
  };

  // `max_waiting`: tasks of TrySchedule that may wait.
  WorkerPool(int threads, size_t max_waiting,
             Priority priority = Priority::kNormal);
  // Stop().
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and nothing is taken, when too many tasks wait or the pool stops:
  // for new work.
  bool TrySchedule(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Always: for work that was admitted already and must be brought to its end.
  // Not after Stop() has returned.
  void Schedule(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs what waits, what that schedules too, and ends the threads. Blocks for
  // as long as those tasks take. Once or more.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t max_waiting_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> admitted_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> new_work_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_WORKER_POOL_H_
