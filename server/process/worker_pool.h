// WorkerPool: the threads of one lane. See lanes.h for which work goes where.
//
// Two queues: what was admitted goes first, or a flood of new work would keep
// it from its end. New work is taken in turns: one task of each origin that
// waits, and of an origin one task of each of its names, so that a task waits
// for at most one of everybody else's, however many those have. What takes long
// comes in parts, so that turns are of about the same time. Work whose memory
// is not there yet is passed over until it is.
//
// A cap on worker time: new work of one origin runs on so many threads at most,
// also when nobody else waits. With fewer than there are, an origin has at most
// that share of the lane's time, and a newcomer finds a thread at once.
//
// Threads: TrySchedule, Schedule and Wake from any thread; they take a lock for
// as long as a push takes. Stop from one thread that is none of the
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
#include <list>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "server/process/owner.h"

namespace alignsae {

class WorkerPool {
 public:
  enum class Priority {
    kNormal,
    kLow,  // See LowerPriority.
  };

  // New work that waits for a thread.
  struct NewWork {
    Owner owner;
    std::function<void()> run;
    // Asked when it is its turn, and again until it says yes; null: at once.
    // Must not block, nor call the pool.
    std::function<bool()> may_start = nullptr;
    // The next part of work that was taken before and stays within its turn:
    // always taken, and the first of its name.
    bool begun = false;
  };

  // `max_waiting`: tasks of TrySchedule that may wait. `max_of_origin`: threads
  // with tasks of one origin; 0: all.
  WorkerPool(int threads, size_t max_waiting,
             Priority priority = Priority::kNormal, int max_of_origin = 0);
  // Stop().
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and nothing is taken, when too many tasks wait, of all or of this
  // origin (three quarters of them), or the pool stops.
  bool TrySchedule(NewWork work) ABSL_LOCKS_EXCLUDED(mutex_);
  // Always: for work that was admitted already and must be brought to its end.
  // Not after Stop() has returned.
  void Schedule(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

  // What a may_start looks at has changed.
  void Wake() { changed_.NotifyAll(); }

  // Runs what waits, what that schedules too, and ends the threads. Blocks for
  // as long as those tasks take. Once or more.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Those that wait, in the order of their turns; none is empty.
  struct Name {
    std::string name;
    std::deque<NewWork> work;
  };
  struct Origin {
    std::string name;
    std::list<Name> names;
    size_t waiting = 0;
  };
  using Line = std::list<Origin>;

  // What a thread takes.
  struct Task {
    std::function<void()> run;          // Null: nothing may start.
    std::optional<std::string> origin;  // Whose; nullopt: it was admitted.
  };

  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for a task; one without `run`: the thread is to end.
  Task Next() ABSL_LOCKS_EXCLUDED(mutex_);
  // The task whose turn it is.
  Task TakeNew() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Task Take(Line::iterator origin, std::list<Name>::iterator name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether another thread may take work of the origin.
  bool MayRun(const std::string& origin) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A task of the origin has ended.
  void Leave(const std::string& origin) ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t max_waiting_;
  const int max_of_origin_;  // Threads.
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> admitted_ ABSL_GUARDED_BY(mutex_);
  Line line_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;  // In the line.
  // Threads that run new work, of the origins that have any.
  std::map<std::string, int> running_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_WORKER_POOL_H_
