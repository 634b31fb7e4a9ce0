#include "server/process/worker_pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace alignsae {
namespace {

constexpr int kLowNice = 10;

// Of the calling thread, from what the process has. Lowering needs no right;
// where it fails all the same, the work is done at the usual priority.
void LowerPriority() {
  const sched_param none = {};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
  const id_t thread = static_cast<id_t>(syscall(SYS_gettid));
  setpriority(PRIO_PROCESS, thread,
              getpriority(PRIO_PROCESS, thread) + kLowNice);
}

}  // namespace

WorkerPool::WorkerPool(int threads, size_t max_waiting, Priority priority)
    : max_waiting_(max_waiting) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, priority] {
      if (priority == Priority::kLow) LowerPriority();
      Loop();
    });
  }
}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool WorkerPool::TrySchedule(std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    if (stopping_ || new_work_.size() >= max_waiting_) return false;
    new_work_.push_back(std::move(task));
  }
  changed_.NotifyAll();
  return true;
}

void WorkerPool::Schedule(std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    admitted_.push_back(std::move(task));
  }
  changed_.NotifyAll();
}

void WorkerPool::Loop() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(&mutex_);
      while (admitted_.empty() && new_work_.empty() && !stopping_) {
        changed_.Wait(&mutex_);
      }
      auto& queue = admitted_.empty() ? new_work_ : admitted_;
      if (queue.empty()) return;
      task = std::move(queue.front());
      queue.pop_front();
    }
    task();
  }
}

}  // namespace alignsae
