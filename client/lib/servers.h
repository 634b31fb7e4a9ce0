// Where a client's calls go: one server, several, or all addresses of a name,
// in turn.
//
// Thread-safety: pure functions; TargetOf looks names up.

#ifndef ALIGNSAE_CLIENT_LIB_SERVERS_H_
#define ALIGNSAE_CLIENT_LIB_SERVERS_H_

#include <string>

#include "absl/status/statusor.h"

namespace alignsae {

// The gRPC target of
//   host:port            all addresses of the host
//   host:port,host:port  several servers; their names are looked up once
//   scheme:...           any target of gRPC ("dns:///alignsae:50051")
// Blocks for as long as the look-ups take. Errors: INVALID_ARGUMENT "server:
// must ..." for a list of something else, UNAVAILABLE for a name of a list that
// has no address.
absl::StatusOr<std::string> TargetOf(const std::string& server);

// Whether all of the list are on this host, by what they are called.
bool IsOnThisHost(const std::string& server);

// gRPC's service configuration: calls take the addresses in turn
// (round_robin). `retries`: UNAVAILABLE and RESOURCE_EXHAUSTED are tried again
// (gRFC A6), at another address where there is one. Of several servers one that
// says that it does not serve (it loads or drains) is left out, by its health
// service; a single one is asked itself, for its reason.
std::string ServiceConfig(const std::string& server, bool retries);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LIB_SERVERS_H_
