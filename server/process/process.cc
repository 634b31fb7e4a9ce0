#include "server/process/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

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

// Far more than connections may take.
constexpr rlim_t kMostDescriptors = 1 << 20;

absl::Status OpenStandardDescriptors() {
  while (true) {
    const int fd = open("/dev/null", O_RDWR);
    if (fd < 0) return absl::ErrnoToStatus(errno, "open(/dev/null)");
    if (fd <= STDERR_FILENO) continue;
    close(fd);
    return absl::OkStatus();
  }
}

// Where it may not be raised the process lives with what it has.
void RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur =
      std::max(limit.rlim_cur, std::min(limit.rlim_max, kMostDescriptors));
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

absl::Status InitProcess() {
  const sigset_t set = WatchedSignals();
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return absl::ErrnoToStatus(error, "pthread_sigmask");
  }
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  for (int signal : {SIGPIPE, SIGHUP, SIGUSR1}) {
    if (sigaction(signal, &ignore, nullptr) != 0) {
      return absl::ErrnoToStatus(errno, "sigaction");
    }
  }
  ALIGNSAE_RETURN_IF_ERROR(OpenStandardDescriptors());
  RaiseDescriptorLimit();
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

void SignalWatcher::set_patience(absl::Duration patience) {
  MutexLock lock(&mutex_);
  patience_ = patience;
}

int SignalWatcher::NextSignal() {
  const sigset_t set = WatchedSignals();
  while (true) {
    absl::Duration left;
    {
      MutexLock lock(&mutex_);
      left = end_ - absl::Now();
    }
    if (left <= absl::ZeroDuration()) return 0;
    const timespec wait = absl::ToTimespec(std::min(left, absl::Hours(1)));
    const int signal = sigtimedwait(&set, nullptr, &wait);
    if (signal > 0) return signal;
  }
}

int SignalWatcher::Take(int signal) {
  if (signal == 0) return 1;
  ++received_;
  end_ = std::min(end_, absl::Now() + patience_);
  arrived_.NotifyAll();
  if (received_ > 1) return 1;
  return exit_at_once_ ? 0 : -1;
}

void SignalWatcher::Loop() {
  while (true) {
    const int signal = NextSignal();
    int code = -1;
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      if (signal == SIGUSR2) continue;  // Not ours.
      code = Take(signal);
    }
    if (code < 0) continue;
    exit_(code);
    if (signal == 0) return;  // In tests.
  }
}

absl::Status WritePortFile(
    const std::string& path,
    const std::vector<std::pair<std::string, int>>& ports) {
  std::vector<std::string> entries;
  for (const auto& [name, port] : ports) {
    if (port != 0) entries.push_back(absl::StrCat("\"", name, "\":", port));
  }
  return WriteFileAtomically(
      path, absl::StrCat("{", absl::StrJoin(entries, ","), "}\n"));
}

}  // namespace alignsae
