// GrpcServer: the listening port with the transport settings of ServerConfig:
// TLS, keepalive, connection age, message and metadata limits.
//
// Compression is off (gRPC 1.51 inflates without a limit) and the port is never
// shared with another process.
//
// Threads: the main thread starts and stops it. Start does not block; Shutdown
// does, until every call has ended: the grace, and then as long as a cancelled
// call needs to notice, which is the time of one step or of a few positions of
// a whole encode. Calls run on threads of gRPC's own, and must not block those.
// Ownership: borrows the services until it is gone.
//
// Thread-safety: Shutdown from one thread that is not gRPC's.
// Errors of Start: INVALID_ARGUMENT names the flag (a file that is no PEM, a
// key that is not the certificate's, a certificate that is too old),
// UNAVAILABLE names the address that cannot be bound.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(std::unique_ptr<GrpcServer> server,
//                             GrpcServer::Start(config,
//                             GrpcServer::ForCalls(config),
//                                               {&health, &model}));

#ifndef ALIGNSAE_SERVER_GRPC_GRPC_SERVER_H_
#define ALIGNSAE_SERVER_GRPC_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/config/endpoint.h"
#include "server/config/server_config.h"
#include "server/grpc/connection_acceptor.h"
#include "server/grpc/tls_watcher.h"

namespace alignsae {

class GrpcServer {
 public:
  // Which port of the server it is.
  struct Port {
    Endpoint listen;
    absl::string_view flag;   // That gives `listen`, for errors.
    int max_connections = 1;  // At once.
  };
  // --listen.
  static Port ForCalls(const ServerConfig& config);
  // --operator-listen: a few connections.
  static Port ForOperators(const ServerConfig& config);

  // The services must outlive the server.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const ServerConfig& config, const Port& port,
      const std::vector<grpc::Service*>& services);

  // As Shutdown without grace: a health watch must not hold up a failed start.
  ~GrpcServer() { Shutdown(absl::ZeroDuration()); }

  int port() const { return acceptor_->port(); }
  // nullptr: the port speaks in the clear.
  const TlsWatcher* tls() const { return tls_.get(); }

  // Stops accepting, ends all connections, and waits for what is left of their
  // calls, for `grace` before it cancels them. Answers that were finished
  // before are still sent. Every reactor must Finish once it is cancelled.
  // Idempotent.
  void Shutdown(absl::Duration grace);

 private:
  GrpcServer(std::unique_ptr<TlsWatcher> tls,
             std::shared_ptr<grpc::ServerCredentials> credentials,
             std::unique_ptr<grpc::Server> server,
             std::unique_ptr<ConnectionAcceptor> acceptor)
      : tls_(std::move(tls)),
        credentials_(std::move(credentials)),
        server_(std::move(server)),
        acceptor_(std::move(acceptor)) {}

  // Null without TLS. Both outlive the server.
  std::unique_ptr<TlsWatcher> tls_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ConnectionAcceptor> acceptor_;
  bool stopped_ = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_GRPC_SERVER_H_
