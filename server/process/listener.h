// Listening sockets of our own: bound, not shared with another process, not
// blocking.
//
// Thread-safety: free functions.
// Errors: UNAVAILABLE, the system's reason; callers name the setting.

#ifndef ALIGNSAE_SERVER_PROCESS_LISTENER_H_
#define ALIGNSAE_SERVER_PROCESS_LISTENER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace alignsae {

struct Listener {
  int fd = -1;   // The caller's to close.
  int port = 0;  // The one that was taken.
};

// `host`: a name or an address, IPv6 without brackets. Port 0: any free one.
// Blocks while a name is looked up.
absl::StatusOr<Listener> ListenOn(const std::string& host, int port);

// How long to wait after AcceptOn failed with another errno than EAGAIN.
inline constexpr absl::Duration kRetryAccept = absl::Milliseconds(20);

// The next connection, not blocking; -1 with errno: EAGAIN when there is none.
// When no descriptor is left, whoever waits is told so by a closed connection
// and the listener goes on: the reserve of `spare` is given up for a moment.
int AcceptOn(int listener, int* spare);
// A descriptor that stands for nothing, to keep one in reserve.
int OpenSpare();

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_LISTENER_H_
