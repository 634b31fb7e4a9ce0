// ConnectionAcceptor: takes the connections of the gRPC port and hands them to
// gRPC, never more than a limit at once.
//
// gRPC 1.51's own listener is lost for good when the process has no descriptor
// left, and knows no limit. Here one too many is closed at once, which its peer
// sees as UNAVAILABLE, and the port is served again as soon as others have
// gone.
//
// gRPC owns a connection that it was handed, and does not say when it has
// closed it; when the limit is reached, the acceptor looks which of them are
// still open.
//
// Threads: one of its own. Start and Stop from one thread.
// Ownership: the acceptor owns the listening socket.
//
// Thread-safety: as said above.

#ifndef ALIGNSAE_SERVER_GRPC_CONNECTION_ACCEPTOR_H_
#define ALIGNSAE_SERVER_GRPC_CONNECTION_ACCEPTOR_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <map>
#include <memory>
#include <thread>

#include "absl/time/time.h"
#include "server/process/listener.h"
#include "server/process/wake_up.h"

namespace alignsae {

class ConnectionAcceptor {
 public:
  // `limit`: connections at once.
  ConnectionAcceptor(Listener listener, int limit);
  // Stop().
  ~ConnectionAcceptor();
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  int port() const { return listener_.port; }

  // Begins to accept for a server that is running.
  using Door = grpc::experimental::ExternalConnectionAcceptor;
  void Start(std::unique_ptr<Door> door);
  // Takes no more connections and ends those that are open: what was written is
  // still sent, and calls that come too late end with the connection, which
  // clients may try again. Idempotent.
  void Stop();

 private:
  void Loop();
  void Accept(int fd);
  // Whether there is room for one more.
  bool HasRoom();
  void ForgetClosed();

  Listener listener_;
  const size_t limit_;
  std::unique_ptr<Door> door_;
  WakeUp wake_;                               // Once it shall stop.
  int spare_ = -1;                            // See AcceptOn.
  absl::Time looked_ = absl::InfinitePast();  // For what has closed.
  std::map<int, ino_t> open_;  // Connections handed over, by descriptor.
  std::thread thread_;
};

// How many connections the gRPC port may have, by the descriptors that the
// process may open, of which `others` are for other ports.
int ConnectionLimit(int others = 0);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_CONNECTION_ACCEPTOR_H_
