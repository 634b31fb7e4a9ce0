#include "server/grpc/tls_watcher.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/status_macros.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

constexpr absl::Duration kEvery = absl::Milliseconds(500);
// Certificates that are renewed by themselves are long before.
constexpr absl::Duration kSoon = absl::Hours(7 * 24);

// Which files they are, and in which state.
std::string StampOf(const TlsFiles& files) {
  std::string stamp;
  for (const std::string& path :
       {files.certificate, files.key, files.client_ca}) {
    struct stat info = {};
    if (path.empty() || stat(path.c_str(), &info) != 0) {
      absl::StrAppend(&stamp, "-;");
      continue;
    }
    absl::StrAppend(&stamp, info.st_dev, " ", info.st_ino, " ", info.st_size,
                    " ", info.st_mtim.tv_sec, " ", info.st_mtim.tv_nsec, ";");
  }
  return stamp;
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
  std::string stamp = StampOf(files);  // Before: what changes then is seen.
  ALIGNSAE_ASSIGN_OR_RETURN(TlsIdentity identity,
                            ReadTlsIdentity(files, absl::Now()));
  LogIdentity("tls_loaded", identity);
  return std::unique_ptr<TlsWatcher>(
      new TlsWatcher(std::move(files), std::move(stamp), std::move(identity)));
}

TlsWatcher::TlsWatcher(TlsFiles files, std::string stamp, TlsIdentity identity)
    : files_(std::move(files)),
      current_{std::make_shared<const TlsIdentity>(std::move(identity))},
      used_(std::move(stamp)),
      thread_([this] { Loop(); }) {}

TlsWatcher::~TlsWatcher() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

TlsWatcher::Current TlsWatcher::current() const {
  MutexLock lock(&mutex_);
  return current_;
}

void TlsWatcher::Loop() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!stopping_) changed_.WaitFor(&mutex_, kEvery);
      if (stopping_) return;
    }
    std::string stamp = StampOf(files_);
    if (stamp == used_) continue;
    if (Reload(stamp)) used_ = std::move(stamp);
  }
}

bool TlsWatcher::Reload(const std::string& stamp) {
  absl::StatusOr<TlsIdentity> identity = ReadTlsIdentity(files_, absl::Now());
  if (identity.ok()) LogIdentity("tls_reloaded", *identity);
  MutexLock lock(&mutex_);
  if (identity.ok()) {
    current_.identity =
        std::make_shared<const TlsIdentity>(*std::move(identity));
    ++current_.reloads;
    return true;
  }
  // Told once for each state of the files, which is tried again and again.
  if (stamp == refused_) return false;
  refused_ = stamp;
  ++current_.failures;
  LogLine(LogLevel::kError, "tls_reload_failed")
      .Add("why", identity.status().message());
  return false;
}

}  // namespace alignsae
