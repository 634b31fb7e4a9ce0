// Credentials of a gRPC port whose TLS identity may change while it serves:
// every handshake shows the newest one. What is connected stays connected.
//
// gRPC 1.51 has this for servers in its core's API only
// (grpc_ssl_server_certificate_config_callback); its C++ file watcher drops the
// identity when it meets a half-written pair of files.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_GRPC_TLS_CREDENTIALS_H_
#define ALIGNSAE_SERVER_GRPC_TLS_CREDENTIALS_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "server/grpc/tls_watcher.h"

namespace alignsae {

// `watcher` must outlive the credentials, and they the server.
std::shared_ptr<grpc::ServerCredentials> WatchedCredentials(
    const TlsWatcher* watcher);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_TLS_CREDENTIALS_H_
