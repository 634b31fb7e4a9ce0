// Endpoint: where a port listens.
//
// Thread-safety: value type; free functions.
// Errors: INVALID_ARGUMENT "must be host:port ...".

#ifndef ALIGNSAE_SERVER_CONFIG_ENDPOINT_H_
#define ALIGNSAE_SERVER_CONFIG_ENDPOINT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

// "127.0.0.1:50051", "[::1]:50051", "example.org:0". Port 0: any free one.
struct Endpoint {
  std::string host;
  int port = 0;  // [0, 65535].

  std::string ToString() const;  // Brackets around an IPv6 address.
};
absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text);

// Whether only this host reaches it: 127.0.0.0/8, ::1 or localhost.
bool IsLoopback(absl::string_view host);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_CONFIG_ENDPOINT_H_
