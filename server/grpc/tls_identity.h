// What the port shows of itself over TLS, and whom it asks for, read from PEM
// files and checked: gRPC takes any bytes and then fails every handshake.
//
// Thread-safety: value type; free function.
// Errors: INVALID_ARGUMENT "--tls-...: must ...", which names the file; those
// of ReadFile.

#ifndef ALIGNSAE_SERVER_GRPC_TLS_IDENTITY_H_
#define ALIGNSAE_SERVER_GRPC_TLS_IDENTITY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/config/server_config.h"

namespace alignsae {

struct TlsIdentity {
  std::string certificate;  // PEM, leaf first.
  std::string key;          // PEM.
  std::string client_ca;    // PEM; empty: clients show no certificate.
  // Of the leaf.
  absl::Time not_before;
  absl::Time not_after;
};

// `files` has a certificate and a key. Refuses a key that is not the
// certificate's and a certificate whose time is over at `now`.
absl::StatusOr<TlsIdentity> ReadTlsIdentity(const TlsFiles& files,
                                            absl::Time now);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_TLS_IDENTITY_H_
