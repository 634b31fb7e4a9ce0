#include "server/grpc/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <atomic>
#include <string>

namespace alignsae {
namespace {

class WatchedTls final : public grpc::ServerCredentials {
 public:
  explicit WatchedTls(const TlsWatcher* watcher) : watcher_(watcher) {
    const bool asks = !watcher->current().identity->client_ca.empty();
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            asks ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                 : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            &Fetch, this));
  }
  ~WatchedTls() override { grpc_server_credentials_release(credentials_); }

  // None is used.
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  // Called at the start and at every handshake, one at a time.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<WatchedTls*>(self)->FetchNew(config);
  }

  grpc_ssl_certificate_config_reload_status FetchNew(
      grpc_ssl_server_certificate_config** config) {
    const TlsWatcher::Current current = watcher_->current();
    if (shown_.exchange(current.reloads) == current.reloads) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    const TlsIdentity& identity = *current.identity;
    const grpc_ssl_pem_key_cert_pair pair = {identity.key.c_str(),
                                             identity.certificate.c_str()};
    // gRPC asserts that there is one, also where it asks for no certificate and
    // makes no use of it.
    const std::string& ca =
        identity.client_ca.empty() ? identity.certificate : identity.client_ca;
    *config = grpc_ssl_server_certificate_config_create(ca.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  const TlsWatcher* const watcher_;
  std::atomic<int64_t> shown_{-1};
  grpc_server_credentials* credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> WatchedCredentials(
    const TlsWatcher* watcher) {
  return std::make_shared<WatchedTls>(watcher);
}

}  // namespace alignsae
