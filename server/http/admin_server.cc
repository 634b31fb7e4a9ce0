#include "server/http/admin_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

constexpr int kThreads = 4;
constexpr time_t kReadTimeoutSeconds = 5;
constexpr time_t kWriteTimeoutSeconds = 5;
constexpr time_t kKeepAliveSeconds = 5;
constexpr size_t kMaxPayloadBytes = 4096;
constexpr char kTextPlain[] = "text/plain; charset=utf-8";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

struct AdminServer::Impl {
  explicit Impl(AdminHandlers h) : handlers(std::move(h)) { Configure(); }

  void Configure() {
    server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server.set_read_timeout(kReadTimeoutSeconds);
    server.set_write_timeout(kWriteTimeoutSeconds);
    server.set_keep_alive_timeout(kKeepAliveSeconds);
    server.set_payload_max_length(kMaxPayloadBytes);
    // The library's default shares the port with other processes.
    server.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server.Get("/metrics",
               [this](const httplib::Request&, httplib::Response& response) {
                 response.set_content(handlers.metrics_text(), kPrometheusText);
               });
    server.Get("/livez",
               [](const httplib::Request&, httplib::Response& response) {
                 response.set_content("ok\n", kTextPlain);
               });
    server.Get("/readyz", [this](const httplib::Request&,
                                 httplib::Response& response) {
      const bool ready = handlers.ready();
      response.status = ready ? 200 : 503;
      response.set_content(ready ? "ok\n" : "not ready\n", kTextPlain);
    });
    server.set_exception_handler([](const httplib::Request&,
                                    httplib::Response& response,
                                    const std::exception_ptr&) {
      response.status = 500;
      response.set_content("internal error\n", kTextPlain);
    });
  }

  AdminHandlers handlers;
  httplib::Server server;
  std::atomic<bool> ended = false;  // The thread has left the loop.
  std::thread thread;
};

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(
    const std::string& host, int port, AdminHandlers handlers) {
  auto impl = std::make_unique<Impl>(std::move(handlers));
  const int bound = port == 0 ? impl->server.bind_to_any_port(host)
                    : impl->server.bind_to_port(host, port) ? port
                                                            : -1;
  if (bound <= 0) {
    return absl::UnavailableError(
        absl::StrCat("--admin-listen: must be an address that is free, got ",
                     host, ":", port));
  }
  impl->thread = std::thread([impl = impl.get()] {
    impl->server.listen_after_bind();
    impl->ended = true;
  });
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl), bound));
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl, int port)
    : impl_(std::move(impl)), port_(port) {}

AdminServer::~AdminServer() {
  // stop() is lost on a server that has not begun to listen.
  while (!impl_->server.is_running() && !impl_->ended) {
    std::this_thread::yield();
  }
  impl_->server.stop();
  impl_->thread.join();
}

}  // namespace alignsae
