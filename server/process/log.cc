#include "server/process/log.h"

#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "model/base/quote.h"
#include "server/process/async_lines.h"

namespace alignsae {
namespace {

constexpr size_t kMaxValueBytes = 1024;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Never destroyed: its thread may be held by a reader who has stopped, and the
// process ends all the same.
struct Log {
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::atomic<int64_t> made = 0;
  std::atomic<int64_t> written = 0;
};

Log& TheLog() {
  static Log* const log = new Log();
  return *log;
}

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // Not by stdio: the end of the process takes the lock of its stderr, which
    // a write that nobody reads would hold.
    WriteAll(STDERR_FILENO, {line.data(), line.size()});
    ++TheLog().written;
  }
  void flush_() override {}
};

}  // namespace

void InitLogging(absl::string_view level) {
  Log& log = TheLog();
  log.pool = MakeLinePool();
  log.written = log.made.load();  // What came before went elsewhere.
  auto logger =
      MakeAsyncLogger("alignsae", std::make_shared<StderrSink>(), log.pool);
  logger->set_pattern("ts=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  spdlog::level::level_enum least = spdlog::level::info;
  if (level == "debug") least = spdlog::level::debug;
  if (level == "warning") least = spdlog::level::warn;
  if (level == "error") least = spdlog::level::err;
  logger->set_level(least);
  spdlog::set_default_logger(std::move(logger));
}

bool FlushLog(absl::Duration patience) {
  const Log& log = TheLog();
  const int64_t made = log.made;
  const absl::Time end = absl::Now() + patience;
  while (log.written + LogLinesDropped() < made) {
    if (absl::Now() >= end) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

int64_t LogLinesDropped() {
  const Log& log = TheLog();
  return log.pool == nullptr
             ? 0
             : static_cast<int64_t>(log.pool->overrun_counter());
}

LogLine::LogLine(LogLevel level, absl::string_view event)
    : level_(level),
      enabled_(spdlog::default_logger_raw()->should_log(ToSpdlog(level))) {
  Add("event", event);
}

LogLine::~LogLine() {
  if (!enabled_) return;
  ++TheLog().made;
  spdlog::default_logger_raw()->log(ToSpdlog(level_), "{}", line_);
}

LogLine& LogLine::Add(absl::string_view key, absl::string_view value) {
  if (!enabled_) return *this;
  absl::StrAppend(&line_, line_.empty() ? "" : " ", key, "=", LogValue(value));
  return *this;
}

std::string LogValue(absl::string_view value) {
  const bool bare =
      !value.empty() && value.size() <= kMaxValueBytes &&
      absl::c_all_of(value, [](unsigned char c) {
        return absl::ascii_isgraph(c) && c != '"' && c != '=' && c != '\\';
      });
  return bare ? std::string(value) : Quoted(value, kMaxValueBytes);
}

}  // namespace alignsae
