#include "server/grpc/tls_watcher.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "model/base/status_macros.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

// Certificates that are renewed by themselves are long before.
constexpr absl::Duration kSoon = absl::Hours(7 * 24);

std::vector<std::string> PathsOf(const TlsFiles& files) {
  return {files.certificate, files.key, files.client_ca};
}

void LogIdentity(const char* event, const TlsIdentity& identity) {
  const absl::Time now = absl::Now();
  const std::string until =
      absl::FormatTime(identity.not_after, absl::UTCTimeZone());
  LogLine(LogLevel::kInfo, event).Add("not_after", until);
  if (identity.not_before > now) {
    LogLine(LogLevel::kWarning, "tls_not_yet_valid")
        .Add("not_before",
             absl::FormatTime(identity.not_before, absl::UTCTimeZone()));
  }
  if (identity.not_after < now + kSoon) {
    LogLine(LogLevel::kWarning, "tls_expires_soon").Add("not_after", until);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsWatcher>> TlsWatcher::Create(TlsFiles files) {
  std::string stamp = FileStamp(PathsOf(files));
  ALIGNSAE_ASSIGN_OR_RETURN(TlsIdentity identity,
                            ReadTlsIdentity(files, absl::Now()));
  LogIdentity("tls_loaded", identity);
  return std::unique_ptr<TlsWatcher>(
      new TlsWatcher(std::move(files), std::move(stamp), std::move(identity)));
}

TlsWatcher::TlsWatcher(TlsFiles files, std::string stamp, TlsIdentity identity)
    : files_(std::move(files)),
      current_{std::make_shared<const TlsIdentity>(std::move(identity))},
      watcher_({PathsOf(files_), std::move(stamp), [this] { return Reload(); },
                [this](const absl::Status& why) { Refused(why); }}) {}

TlsWatcher::Current TlsWatcher::current() const {
  MutexLock lock(&mutex_);
  return current_;
}

absl::Status TlsWatcher::Reload() {
  ALIGNSAE_ASSIGN_OR_RETURN(TlsIdentity identity,
                            ReadTlsIdentity(files_, absl::Now()));
  LogIdentity("tls_reloaded", identity);
  MutexLock lock(&mutex_);
  current_.identity = std::make_shared<const TlsIdentity>(std::move(identity));
  ++current_.reloads;
  return absl::OkStatus();
}

void TlsWatcher::Refused(const absl::Status& why) {
  MutexLock lock(&mutex_);
  ++current_.failures;
  LogLine(LogLevel::kError, "tls_reload_failed").Add("why", why.message());
}

}  // namespace alignsae
