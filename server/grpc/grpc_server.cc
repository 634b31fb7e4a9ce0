#include "server/grpc/grpc_server.h"

#include <dlfcn.h>
#include <grpc/support/log.h>
#include <grpcpp/resource_quota.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

constexpr int kMaxMetadataBytes = 16 << 10;
// What gRPC takes to notice that connections have ended.
constexpr absl::Duration kConnectionsGo = absl::Milliseconds(50);

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;

Bio MemoryBio(const std::string& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::unique_ptr<X509, X509Deleter> ReadCertificate(const std::string& pem) {
  return std::unique_ptr<X509, X509Deleter>(
      PEM_read_bio_X509(MemoryBio(pem).get(), nullptr, nullptr, nullptr));
}

// gRPC takes any bytes and then fails every handshake, so the pair is checked
// here, where a mistake can still be told.
absl::Status CheckPair(const TlsFiles& files, const std::string& certificate,
                       const std::string& key) {
  const std::unique_ptr<X509, X509Deleter> leaf = ReadCertificate(certificate);
  if (leaf == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-cert: must be a PEM certificate, got ", files.certificate));
  }
  const std::unique_ptr<EVP_PKEY, KeyDeleter> private_key(
      PEM_read_bio_PrivateKey(MemoryBio(key).get(), nullptr, nullptr, nullptr));
  if (private_key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls-key: must be a PEM private key without a passphrase, got ",
        files.key));
  }
  if (X509_check_private_key(leaf.get(), private_key.get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-key: must be the key of --tls-cert ",
                     files.certificate, ", got ", files.key));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials(
    const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert: must be given together with --tls-key");
  }
  if (files.certificate.empty()) {
    if (!files.client_ca.empty()) {
      return absl::InvalidArgumentError(
          "--tls-client-ca: must be given together with --tls-cert");
    }
    return grpc::InsecureServerCredentials();
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string certificate,
                            ReadFile(files.certificate));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string key, ReadFile(files.key));
  ALIGNSAE_RETURN_IF_ERROR(CheckPair(files, certificate, key));
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({key, certificate});
  if (!files.client_ca.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(options.pem_root_certs,
                              ReadFile(files.client_ca));
    if (ReadCertificate(options.pem_root_certs) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--tls-client-ca: must be a PEM certificate, got ", files.client_ca));
    }
    options.client_certificate_request =
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return grpc::SslServerCredentials(options);
}

// Linking the reflection library turns reflection on for every server of the
// process by a static initialiser; loading it only on request keeps it off.
absl::Status LoadReflection() {
  constexpr char kLibrary[] = "libgrpc++_reflection.so.1.51";
  if (dlopen(kLibrary, RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--reflection: needs ", kLibrary, ", which cannot be loaded"));
  }
  return absl::OkStatus();
}

// What gRPC has to say goes into our log, for --log-level=debug: peers cause
// most of it, and a port that cannot be bound is told by Start's status.
void RouteGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args* args) {
    LogLine(LogLevel::kDebug, "grpc")
        .Add("severity", gpr_log_severity_string(args->severity))
        .Add("message", args->message);
  });
}

int Milliseconds(double seconds) { return static_cast<int>(seconds * 1000); }

void SetTransport(const ServerConfig& config, grpc::ServerBuilder& builder) {
  const ConnectionConfig& c = config.connections;
  builder.SetMaxReceiveMessageSize(config.limits.max_receive_message_bytes);
  builder.SetMaxSendMessageSize(config.limits.max_send_message_bytes);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, c.max_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             Milliseconds(c.handshake_timeout_seconds));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             Milliseconds(c.keepalive_seconds));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             Milliseconds(c.keepalive_timeout_seconds));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 20000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             Milliseconds(c.max_age_seconds));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Milliseconds(c.max_age_grace_seconds));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             Milliseconds(c.max_idle_seconds));
  grpc::ResourceQuota quota("alignsae");
  quota.Resize(static_cast<size_t>(c.memory_mib) << 20);
  builder.SetResourceQuota(quota);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const ServerConfig& config, const std::vector<grpc::Service*>& services) {
  RouteGrpcLog();
  if (config.reflection) ALIGNSAE_RETURN_IF_ERROR(LoadReflection());
  ALIGNSAE_ASSIGN_OR_RETURN(
      std::shared_ptr<grpc::ServerCredentials> credentials,
      MakeCredentials(config.tls));
  grpc::EnableDefaultHealthCheckService(false);
  const absl::StatusOr<Listener> listener =
      ListenOn(config.listen.host, config.listen.port);
  if (!listener.ok()) {
    return absl::UnavailableError(
        absl::StrCat("--listen: must be an address that can be bound, got ",
                     config.listen.ToString()));
  }
  // The front door tells some of those that are too many.
  const int others = config.http.on ? config.http.max_connections + 64 : 0;
  auto acceptor =
      std::make_unique<ConnectionAcceptor>(*listener, ConnectionLimit(others));
  grpc::ServerBuilder builder;
  SetTransport(config, builder);
  std::unique_ptr<ConnectionAcceptor::Door> door =
      builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::
              FROM_FD,
          std::move(credentials));
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::UnavailableError("server: gRPC must be able to start");
  }
  acceptor->Start(std::move(door));
  return std::unique_ptr<GrpcServer>(
      new GrpcServer(std::move(server), std::move(acceptor)));
}

void GrpcServer::Shutdown(absl::Duration grace) {
  if (std::exchange(stopped_, true)) return;
  // First the connections: a call that reached a server that shuts down would
  // be told CANCELLED, which clients do not try again.
  acceptor_->Stop();
  absl::SleepFor(kConnectionsGo);
  server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  server_->Wait();
}

}  // namespace alignsae
