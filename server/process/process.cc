#include "server/process/process.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"

namespace alignsae {
namespace {

// SIGUSR2 only ends the watcher's own thread.
sigset_t WatchedSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGUSR2);
  return set;
}

}  // namespace

absl::Status InitProcess() {
  const sigset_t set = WatchedSignals();
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return absl::ErrnoToStatus(error, "pthread_sigmask");
  }
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  if (sigaction(SIGPIPE, &ignore, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "sigaction(SIGPIPE)");
  }
  const rlimit no_core = {0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) {
    return absl::ErrnoToStatus(errno, "setrlimit(RLIMIT_CORE)");
  }
  return absl::OkStatus();
}

SignalWatcher::SignalWatcher(std::function<void(int)> exit)
    : exit_(std::move(exit)), thread_([this] { Loop(); }) {}

SignalWatcher::~SignalWatcher() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  pthread_kill(thread_.native_handle(), SIGUSR2);
  thread_.join();
}

void SignalWatcher::set_exit_at_once(bool value) {
  MutexLock lock(&mutex_);
  exit_at_once_ = value;
}

void SignalWatcher::Wait() {
  MutexLock lock(&mutex_);
  while (received_ == 0) arrived_.Wait(&mutex_);
}

void SignalWatcher::Loop() {
  const sigset_t set = WatchedSignals();
  while (true) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    int code = -1;
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      if (signal == SIGUSR2) continue;  // Not ours.
      ++received_;
      arrived_.NotifyAll();
      if (received_ > 1) {
        code = 1;
      } else if (exit_at_once_) {
        code = 0;
      }
    }
    if (code >= 0) exit_(code);
  }
}

absl::Status WritePortFile(const std::string& path, int grpc_port,
                           int admin_port) {
  return WriteFileAtomically(
      path,
      absl::StrCat("{\"grpc\":", grpc_port, ",\"admin\":", admin_port, "}\n"));
}

}  // namespace alignsae
