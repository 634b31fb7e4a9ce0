#include "server/process/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "model/base/posix_file.h"
#include "server/process/async_lines.h"

namespace alignsae {
namespace {

constexpr absl::Duration kLastWrites = absl::Seconds(1);

class AuditSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit AuditSink(FileDescriptor fd) : fd_(std::move(fd)) {}
  int64_t written() const { return written_; }
  int64_t failed() const { return failed_; }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string line = absl::StrCat(
        absl::string_view(message.payload.data(), message.payload.size()),
        "\n");
    ++(WriteAll(fd_.get(), line) ? written_ : failed_);
  }
  void flush_() override {}

 private:
  const FileDescriptor fd_;
  std::atomic<int64_t> written_ = 0;
  std::atomic<int64_t> failed_ = 0;
};

}  // namespace

struct AuditLog::Impl {
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<AuditSink> sink;
  std::shared_ptr<spdlog::async_logger> logger;
  std::atomic<int64_t> made = 0;
};

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(
    const std::string& path) {
  // Not blocking: a pipe that nobody reads would never open.
  FileDescriptor fd(open(path.c_str(),
                         O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
                         0600));
  if (fd.get() < 0 || fcntl(fd.get(), F_SETFL, O_WRONLY | O_APPEND) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--audit-log: must be a file that can be written, got ",
                     path, " (", std::strerror(errno), ")"));
  }
  auto impl = std::make_shared<Impl>();
  impl->pool = MakeLinePool();
  impl->sink = std::make_shared<AuditSink>(std::move(fd));
  impl->logger = MakeAsyncLogger("audit", impl->sink, impl->pool);
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(impl)));
}

AuditLog::AuditLog(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

AuditLog::~AuditLog() {
  const absl::Time end = absl::Now() + kLastWrites;
  while (impl_->sink->written() + lost() < impl_->made && absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  if (impl_->sink->written() + lost() < impl_->made) {
    // Its thread is held by whoever does not take what it writes: waiting for
    // it could last for ever, so it is left to the end of the process.
    static auto* const left = new std::vector<std::shared_ptr<Impl>>();
    left->push_back(impl_);
  }
}

void AuditLog::Write(const std::string& line) {
  ++impl_->made;
  impl_->logger->log(spdlog::level::info, "{}", line);
}

int64_t AuditLog::lost() const {
  return static_cast<int64_t>(impl_->pool->overrun_counter()) +
         impl_->sink->failed();
}

}  // namespace alignsae
