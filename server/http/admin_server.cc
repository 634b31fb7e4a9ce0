#include "server/http/admin_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/http/http_exchange.h"
#include "server/process/listener.h"
#include "server/process/wake_up.h"

namespace alignsae {
namespace {

constexpr size_t kMaxConnections = 64;
constexpr size_t kMaxHeadBytes = 8192;
// From its first byte to its last, and a connection's wait for that.
constexpr absl::Duration kWholeExchange = absl::Seconds(5);
constexpr char kTextPlain[] = "text/plain; charset=utf-8";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

// A connection: it brings a head, gets its answer, and goes.
struct Connection {
  int fd = -1;
  absl::Time end;  // It is closed then, whatever it does.
  std::string head;
  std::string answer;
  size_t written = 0;
  bool answered = false;
};

// Takes what has come. False: the peer has gone, or brings too much.
bool Read(Connection& connection) {
  char buffer[4096];
  while (true) {
    const ssize_t size = recv(connection.fd, buffer, sizeof(buffer), 0);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return false;
    // What comes behind the head is read, so that the peer gets its answer and
    // no reset, and thrown away.
    if (connection.answered) continue;
    connection.head.append(buffer, static_cast<size_t>(size));
    if (connection.head.find("\r\n\r\n") != std::string::npos) return true;
    if (connection.head.size() > kMaxHeadBytes) return false;
  }
}

// Sends what the peer takes now. False: the peer has gone.
bool Write(Connection& connection) {
  while (connection.written < connection.answer.size()) {
    const ssize_t size =
        send(connection.fd, connection.answer.data() + connection.written,
             connection.answer.size() - connection.written, MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    connection.written += static_cast<size_t>(size);
  }
  shutdown(connection.fd, SHUT_WR);
  return true;
}

}  // namespace

struct AdminServer::Impl {
  Impl(AdminHandlers h, Listener l) : handlers(std::move(h)), listener(l) {
    AddRoutes();
    spare = OpenSpare();
    thread = std::thread([this] { Loop(); });
  }
  ~Impl() {
    wake.Set();
    thread.join();
    for (const Connection& connection : connections) close(connection.fd);
    for (int fd : {listener.fd, spare}) close(fd);
  }

  void AddRoutes() {
    using httplib::Request;
    using httplib::Response;
    routes.Get("/metrics", [this](const Request&, Response& response) {
      response.set_content(handlers.metrics_text(), kPrometheusText);
    });
    routes.Get("/livez", [](const Request&, Response& response) {
      response.set_content("ok\n", kTextPlain);
    });
    routes.Get("/readyz", [this](const Request&, Response& response) {
      const bool ready = handlers.ready();
      response.status = ready ? 200 : 503;
      response.set_content(ready ? "ok\n" : "not ready\n", kTextPlain);
    });
    routes.set_exception_handler(
        [](const Request&, Response& response, const std::exception_ptr&) {
          response.status = 500;
          response.set_content("internal error\n", kTextPlain);
        });
  }

  void Loop() {
    std::vector<pollfd> watched;
    while (true) {
      watched.assign({{wake.fd(), POLLIN, 0}, {listener.fd, POLLIN, 0}});
      absl::Time next = absl::InfiniteFuture();
      for (const Connection& connection : connections) {
        const bool writing = connection.written < connection.answer.size();
        watched.push_back(
            {connection.fd, static_cast<short>(writing ? POLLOUT : POLLIN), 0});
        next = std::min(next, connection.end);
      }
      poll(watched.data(), watched.size(), PollMilliseconds(next));
      if (watched[0].revents != 0) return;
      ServeAll(watched);
      if (watched[1].revents != 0) AcceptAll();
    }
  }

  void ServeAll(const std::vector<pollfd>& watched) {
    const absl::Time now = absl::Now();
    size_t i = 2;
    for (auto it = connections.begin(); it != connections.end(); ++i) {
      const bool lives =
          it->end > now && (watched[i].revents == 0 || Serve(*it));
      if (lives) {
        ++it;
      } else {
        close(it->fd);
        it = connections.erase(it);
      }
    }
  }

  // False: it is over.
  bool Serve(Connection& connection) {
    if (connection.written < connection.answer.size()) return Write(connection);
    if (!Read(connection)) return false;
    if (connection.answered ||
        connection.head.find("\r\n\r\n") == std::string::npos) {
      return true;
    }
    connection.answer = routes.Answer(connection.head);
    connection.answered = true;
    return Write(connection);
  }

  void AcceptAll() {
    while (true) {
      const int fd = AcceptOn(listener.fd, &spare);
      if (fd < 0) {
        if (errno != EAGAIN) absl::SleepFor(kRetryAccept);
        return;
      }
      // Whoever has been there longest has had its time.
      if (connections.size() >= kMaxConnections) {
        close(connections.front().fd);
        connections.pop_front();
      }
      connections.push_back(
          {fd, absl::Now() + kWholeExchange, "", "", 0, false});
      // Most requests are there already.
      if (!Serve(connections.back())) {
        close(fd);
        connections.pop_back();
      }
    }
  }

  const AdminHandlers handlers;
  HttpRoutes routes;
  const Listener listener;
  WakeUp wake;  // Once it shall stop.
  int spare = -1;
  std::list<Connection> connections;  // The thread's. Oldest first.
  std::thread thread;
};

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(
    const std::string& host, int port, AdminHandlers handlers) {
  const absl::StatusOr<Listener> listener = ListenOn(host, port);
  if (!listener.ok()) {
    return absl::UnavailableError(
        absl::StrCat("--admin-listen: must be an address that is free, got ",
                     host, ":", port));
  }
  return std::unique_ptr<AdminServer>(new AdminServer(
      std::make_unique<Impl>(std::move(handlers), *listener), listener->port));
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl, int port)
    : impl_(std::move(impl)), port_(port) {}

AdminServer::~AdminServer() = default;

}  // namespace alignsae
