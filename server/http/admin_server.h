// AdminServer: the one HTTP port, for operators: /metrics, /livez, /readyz.
//
// Plain HTTP without authentication; it tells nothing of any request.
// Everything else is 404. One thread serves all connections without waiting for
// any of them; each has 5 s from its start to its end, and the oldest of 64
// makes room for a newcomer, so that peers that dawdle hold up nobody.
//
// Thread-safety: thread-safe.
// Errors: Start: UNAVAILABLE naming the address that cannot be bound.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(
//       std::unique_ptr<AdminServer> admin,
//       AdminServer::Start("127.0.0.1", 9464, std::move(handlers)));

#ifndef ALIGNSAE_SERVER_HTTP_ADMIN_SERVER_H_
#define ALIGNSAE_SERVER_HTTP_ADMIN_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace alignsae {

struct AdminHandlers {
  std::function<std::string()> metrics_text;  // Prometheus text format.
  std::function<bool()> ready;                // Whether it can answer now.
};

class AdminServer {
 public:
  // Binds, then answers from a thread of its own. Port 0: any free one.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(
      const std::string& host, int port, AdminHandlers handlers);
  // Stops answering and joins the thread.
  ~AdminServer();

  int port() const { return port_; }

 private:
  struct Impl;
  AdminServer(std::unique_ptr<Impl> impl, int port);

  std::unique_ptr<Impl> impl_;
  int port_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_ADMIN_SERVER_H_
