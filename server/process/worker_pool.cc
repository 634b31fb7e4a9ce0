#include "server/process/worker_pool.h"

#include <utility>

namespace alignsae {

WorkerPool::WorkerPool(int threads, size_t max_waiting)
    : max_waiting_(max_waiting) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

WorkerPool::~WorkerPool() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::TrySchedule(std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    if (new_work_.size() >= max_waiting_) return false;
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
