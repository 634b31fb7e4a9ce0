// What the server asks of the process: signals, limits, the port file.
//
// Thread-safety: InitProcess once, before threads. SignalWatcher is
// thread-safe.

#ifndef ALIGNSAE_SERVER_PROCESS_PROCESS_H_
#define ALIGNSAE_SERVER_PROCESS_PROCESS_H_

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"

namespace alignsae {

// Blocks SIGTERM and SIGINT in this thread and all that it starts
// (SignalWatcher takes them), ignores SIGPIPE, SIGHUP and SIGUSR1, forbids core
// dumps, which would hold prompts, raises the limit of open descriptors as far
// as it may be, and opens /dev/null on those of 0 to 2 that are closed, so that
// no socket is taken for the log. Errors: INTERNAL naming the call.
absl::Status InitProcess();

// Waits for SIGTERM or SIGINT. InitProcess comes first.
//
// The first signal is told to Wait. The second, and the first while
// `set_exit_at_once(true)` holds, end the process at once by `exit`, whatever
// its threads do; so does the patience that the first has started, when it is
// over. SIGHUP and SIGUSR1 do nothing.
class SignalWatcher {
 public:
  // `exit` must not return; std::_Exit in the product. It gets 0 for a first
  // signal, and 1 for a second and for the end of patience.
  explicit SignalWatcher(std::function<void(int)> exit);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  void set_exit_at_once(bool value) ABSL_LOCKS_EXCLUDED(mutex_);
  // What the process may take from a first signal to its end. Default: for
  // ever. Before the signal.
  void set_patience(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);
  // Until a signal came.
  void Wait() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next signal; 0 when patience is over.
  int NextSignal() ABSL_LOCKS_EXCLUDED(mutex_);
  // The code to exit with, or -1.
  int Take(int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::function<void(int)> exit_;
  Mutex mutex_;
  CondVar arrived_;
  int received_ ABSL_GUARDED_BY(mutex_) = 0;
  bool exit_at_once_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration patience_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  absl::Time end_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::thread thread_;
};

// {"grpc":50051,"admin":9464}, atomically; of those ports that are not 0.
absl::Status WritePortFile(
    const std::string& path,
    const std::vector<std::pair<std::string, int>>& ports);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_PROCESS_H_
