// What the log and the audit log share: one thread that writes lines for
// others, which never wait for it. The newest lines are kept.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_PROCESS_ASYNC_LINES_H_
#define ALIGNSAE_SERVER_PROCESS_ASYNC_LINES_H_

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace alignsae {

// Room for 4,096 lines and the thread that takes them; what does not fit is in
// its overrun_counter.
std::shared_ptr<spdlog::details::thread_pool> MakeLinePool();

// A logger whose lines go through `pool` to `sink`.
std::shared_ptr<spdlog::async_logger> MakeAsyncLogger(
    const std::string& name, spdlog::sink_ptr sink,
    const std::shared_ptr<spdlog::details::thread_pool>& pool);

// Waits for whoever reads. False: an error let not all of it through.
bool WriteAll(int fd, absl::string_view text);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_ASYNC_LINES_H_
