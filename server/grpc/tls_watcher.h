// TlsWatcher: the port's TLS identity, read anew whenever its files change, so
// that certificates are rotated without a restart.
//
// Looks at the files twice a second, on a thread of its own (where they are
// links, as in a mounted secret, at what they lead to). What cannot be used, a
// certificate whose key is not written yet for instance, leaves the old
// identity in place and is tried again until it can. Each change, and each time
// that one cannot be used, is a log line and counted.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_GRPC_TLS_WATCHER_H_
#define ALIGNSAE_SERVER_GRPC_TLS_WATCHER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "model/base/mutex.h"
#include "server/grpc/tls_identity.h"

namespace alignsae {

class TlsWatcher {
 public:
  // Errors: ReadTlsIdentity's.
  static absl::StatusOr<std::unique_ptr<TlsWatcher>> Create(TlsFiles files);
  ~TlsWatcher();
  TlsWatcher(const TlsWatcher&) = delete;
  TlsWatcher& operator=(const TlsWatcher&) = delete;

  struct Current {
    std::shared_ptr<const TlsIdentity> identity;
    int64_t reloads = 0;  // Rises with each new identity.
    int64_t failures = 0;
  };
  Current current() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  TlsWatcher(TlsFiles files, std::string stamp, TlsIdentity identity);

  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads the files, which bear `stamp`. Whether they could be used.
  bool Reload(const std::string& stamp) ABSL_LOCKS_EXCLUDED(mutex_);

  const TlsFiles files_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Current current_ ABSL_GUARDED_BY(mutex_);
  // The thread's: of the files as they were used or refused last.
  std::string used_;
  std::string refused_;
  std::thread thread_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_TLS_WATCHER_H_
