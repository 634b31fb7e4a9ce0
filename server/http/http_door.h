// HttpDoor: the front door's port: connections, and one thread that serves all
// of them without waiting for any.
//
// HTTP/1.1 in the clear. What is asked and answered is the options' (see
// DoorOptions); streams take no thread, so that connections are bounded by
// memory and descriptors only. When there are too many, one that waits for a
// request makes room for a newcomer; where none does, the newcomer's request is
// refused with 503.
//
// Decision: the socket is ours and not cpp-httplib's, whose 0.11 takes a thread
// for each connection, knows no bound for the time or the size of a head, and
// does not tell that a peer has gone.
//
// Thread-safety: thread-safe; Shutdown from one thread that is not the door's.
// Errors: Start: UNAVAILABLE naming the address that cannot be bound.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(std::unique_ptr<HttpDoor> door,
//                             HttpDoor::Start("127.0.0.1", 8080, options));

#ifndef ALIGNSAE_SERVER_HTTP_HTTP_DOOR_H_
#define ALIGNSAE_SERVER_HTTP_HTTP_DOOR_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/http/door_connection.h"

namespace alignsae {

class HttpDoor {
 public:
  // Binds, then serves from a thread of its own. Port 0: any free one.
  static absl::StatusOr<std::unique_ptr<HttpDoor>> Start(
      const std::string& host, int port, DoorOptions options);
  // Shutdown().
  ~HttpDoor();

  int port() const { return port_; }
  int connections() const;

  // Ends all connections, tells who answers that the peers are gone, waits for
  // the end of every answer, and joins the thread. Idempotent.
  void Shutdown();

 private:
  struct Impl;
  HttpDoor(std::unique_ptr<Impl> impl, int port);

  std::unique_ptr<Impl> impl_;
  const int port_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_HTTP_DOOR_H_
