#include "server/process/worker_pool.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "server/process/thread_priority.h"

namespace alignsae {
namespace {

constexpr absl::Duration kLookAgain = absl::Milliseconds(50);

template <typename Named>
typename std::list<Named>::iterator FindNamed(std::list<Named>& line,
                                              const std::string& name) {
  return std::find_if(line.begin(), line.end(),
                      [&](const Named& other) { return other.name == name; });
}

}  // namespace

WorkerPool::WorkerPool(int threads, size_t max_waiting, Priority priority,
                       int max_of_origin)
    : max_waiting_(max_waiting),
      max_of_origin_(max_of_origin > 0 ? max_of_origin : threads) {
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

bool WorkerPool::TrySchedule(NewWork work) {
  {
    MutexLock lock(&mutex_);
    if (!work.begun && (stopping_ || waiting_ >= max_waiting_)) return false;
    auto origin = FindNamed(line_, work.owner.origin);
    const size_t of_origin = origin == line_.end() ? 0 : origin->waiting;
    if (!work.begun && of_origin >= (max_waiting_ * 3 + 3) / 4) return false;
    if (origin == line_.end()) {
      origin = line_.insert(origin, Origin{work.owner.origin, {}, 0});
    }
    auto name = FindNamed(origin->names, work.owner.name);
    if (name == origin->names.end()) {
      name = origin->names.insert(name, Name{work.owner.name, {}});
    }
    if (work.begun) {
      name->work.push_front(std::move(work));
    } else {
      name->work.push_back(std::move(work));
    }
    ++origin->waiting;
    ++waiting_;
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

bool WorkerPool::MayRun(const std::string& origin) const {
  const auto running = running_.find(origin);
  return running == running_.end() || running->second < max_of_origin_;
}

void WorkerPool::Leave(const std::string& origin) {
  MutexLock lock(&mutex_);
  const auto running = running_.find(origin);
  const bool was_full = running->second == max_of_origin_;
  if (--running->second == 0) running_.erase(running);
  if (was_full) changed_.NotifyAll();
}

WorkerPool::Task WorkerPool::TakeNew() {
  for (auto origin = line_.begin(); origin != line_.end(); ++origin) {
    if (!MayRun(origin->name)) continue;
    for (auto name = origin->names.begin(); name != origin->names.end();
         ++name) {
      const NewWork& front = name->work.front();
      if (stopping_ || front.may_start == nullptr || front.may_start()) {
        return Take(origin, name);
      }
    }
  }
  return {};
}

WorkerPool::Task WorkerPool::Take(Line::iterator origin,
                                  std::list<Name>::iterator name) {
  Task task = {std::move(name->work.front().run), origin->name};
  ++running_[origin->name];
  name->work.pop_front();
  --waiting_;
  --origin->waiting;
  // Those behind move up; whoever has more goes to the end.
  std::list<Name>& names = origin->names;
  if (name->work.empty()) {
    names.erase(name);
  } else {
    names.splice(names.end(), names, name);
  }
  if (names.empty()) {
    line_.erase(origin);
  } else {
    line_.splice(line_.end(), line_, origin);
  }
  return task;
}

WorkerPool::Task WorkerPool::Next() {
  MutexLock lock(&mutex_);
  while (true) {
    if (!admitted_.empty()) {
      Task task = {std::move(admitted_.front()), std::nullopt};
      admitted_.pop_front();
      return task;
    }
    if (waiting_ > 0) {
      Task task = TakeNew();
      if (task.run != nullptr) return task;
      // Also to notice that a call that waits for memory has ended.
      changed_.WaitFor(&mutex_, kLookAgain);
    } else if (stopping_) {
      return {};
    } else {
      changed_.Wait(&mutex_);
    }
  }
}

void WorkerPool::Loop() {
  while (true) {
    Task task = Next();
    if (task.run == nullptr) return;
    task.run();
    task.run = nullptr;  // What it held goes before its turn is over.
    if (task.origin.has_value()) Leave(*task.origin);
  }
}

}  // namespace alignsae
