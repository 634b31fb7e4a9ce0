#include "server/process/async_lines.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <utility>

namespace alignsae {
namespace {

constexpr size_t kMaxWaitingLines = 4096;

}  // namespace

std::shared_ptr<spdlog::details::thread_pool> MakeLinePool() {
  // Signals are for whoever waits for them.
  return std::make_shared<spdlog::details::thread_pool>(
      kMaxWaitingLines, 1, [] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
      });
}

std::shared_ptr<spdlog::async_logger> MakeAsyncLogger(
    const std::string& name, spdlog::sink_ptr sink,
    const std::shared_ptr<spdlog::details::thread_pool>& pool) {
  return std::make_shared<spdlog::async_logger>(
      name, std::move(sink), pool,
      spdlog::async_overflow_policy::overrun_oldest);
}

bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t size = write(fd, text.data(), text.size());
    if (size > 0) {
      text.remove_prefix(static_cast<size_t>(size));
    } else if (errno == EAGAIN) {
      pollfd reader = {fd, POLLOUT, 0};
      poll(&reader, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace alignsae
