#include "server/process/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "model/base/quote.h"

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

}  // namespace

void InitLogging(absl::string_view level) {
  auto logger = std::make_shared<spdlog::logger>(
      "alignsae", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("ts=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  logger->flush_on(spdlog::level::info);
  spdlog::level::level_enum least = spdlog::level::info;
  if (level == "debug") least = spdlog::level::debug;
  if (level == "warning") least = spdlog::level::warn;
  if (level == "error") least = spdlog::level::err;
  logger->set_level(least);
  spdlog::set_default_logger(std::move(logger));
}

LogLine::LogLine(LogLevel level, absl::string_view event)
    : level_(level),
      enabled_(spdlog::default_logger_raw()->should_log(ToSpdlog(level))) {
  Add("event", event);
}

LogLine::~LogLine() {
  if (!enabled_) return;
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
