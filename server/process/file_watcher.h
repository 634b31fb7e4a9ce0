// FileWatcher: takes files anew whenever they change, so that certificates,
// policies and tokens are replaced without a restart.
//
// Looks at the files twice a second, on a thread of its own (where they are
// links, as in a mounted secret, at what they lead to). What cannot be used, a
// certificate whose key is not written yet for instance, is tried again until
// it can; it is told once for each state of the files.
//
// Thread-safety: thread-safe. `take` and `refused` run on the watcher's thread,
// one at a time; they may take as long as reading the files does.

#ifndef ALIGNSAE_SERVER_PROCESS_FILE_WATCHER_H_
#define ALIGNSAE_SERVER_PROCESS_FILE_WATCHER_H_

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "model/base/mutex.h"

namespace alignsae {

// Which files they are, and in which state. Empty paths are none.
std::string FileStamp(const std::vector<std::string>& paths);

class FileWatcher {
 public:
  struct Options {
    std::vector<std::string> paths;
    // FileStamp of `paths` from before they were read first: what changes
    // between is seen.
    std::string stamp;
    // The files have changed: uses them, or says why it cannot.
    std::function<absl::Status()> take;
    std::function<void(const absl::Status&)> refused;
  };
  explicit FileWatcher(Options options);
  // Waits for a `take` that runs.
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_FILE_WATCHER_H_
