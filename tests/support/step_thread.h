// StepThread: a thread that runs a scheduler's steps and nothing else. (The
// server's also makes and destroys the engine: server/registry.)
//
// Blocks: Stop, for the step under way and one sweep.
//
// Thread-safety: Stop from any thread but its own, once or more.

#ifndef ALIGNSAE_TESTS_SUPPORT_STEP_THREAD_H_
#define ALIGNSAE_TESTS_SUPPORT_STEP_THREAD_H_

#include <thread>

#include "model/scheduler/scheduler.h"

namespace alignsae {

class StepThread {
 public:
  // `scheduler` must outlive the thread.
  explicit StepThread(Scheduler* scheduler)
      : scheduler_(scheduler), thread_([scheduler] {
          while (scheduler->WaitForWork()) scheduler->RunOneStep();
        }) {}
  ~StepThread() { Stop(); }
  StepThread(const StepThread&) = delete;
  StepThread& operator=(const StepThread&) = delete;

  // Ends every request with UNAVAILABLE, then the thread. Every sink has got
  // its RequestDone when this returns.
  void Stop() {
    scheduler_->EndAll();
    if (thread_.joinable()) thread_.join();
  }

 private:
  Scheduler* scheduler_;
  std::thread thread_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_STEP_THREAD_H_
