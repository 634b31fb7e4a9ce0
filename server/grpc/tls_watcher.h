// TlsWatcher: the port's TLS identity, read anew whenever its files change, so
// that certificates are rotated without a restart.
//
// What cannot be used leaves the old identity in place (file_watcher.h). Each
// change, and each time that one cannot be used, is a log line and counted.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_GRPC_TLS_WATCHER_H_
#define ALIGNSAE_SERVER_GRPC_TLS_WATCHER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "model/base/mutex.h"
#include "server/grpc/tls_identity.h"
#include "server/process/file_watcher.h"

namespace alignsae {

class TlsWatcher {
 public:
  // Errors: ReadTlsIdentity's.
  static absl::StatusOr<std::unique_ptr<TlsWatcher>> Create(TlsFiles files);
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

  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);
  void Refused(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);

  const TlsFiles files_;
  mutable Mutex mutex_;
  Current current_ ABSL_GUARDED_BY(mutex_);
  FileWatcher watcher_;  // Last: it uses the others.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_TLS_WATCHER_H_
