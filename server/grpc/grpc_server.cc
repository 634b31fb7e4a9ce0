#include "server/grpc/grpc_server.h"

#include <grpc/support/log.h>
#include <grpcpp/resource_quota.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/status_macros.h"
#include "server/grpc/tls_credentials.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

constexpr int kMaxMetadataBytes = 16 << 10;
// Of operators, at once.
constexpr int kOperatorConnections = 16;
// What gRPC takes to notice that connections have ended.
constexpr absl::Duration kConnectionsGo = absl::Milliseconds(50);

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

GrpcServer::Port GrpcServer::ForCalls(const ServerConfig& config) {
  // The front door tells some of those that are too many.
  int others = config.http.on ? config.http.max_connections + 64 : 0;
  if (config.operators.on) others += kOperatorConnections;
  return {config.listen, "--listen", ConnectionLimit(others)};
}

GrpcServer::Port GrpcServer::ForOperators(const ServerConfig& config) {
  return {config.operators.listen, "--operator-listen", kOperatorConnections};
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const ServerConfig& config, const Port& port,
    const std::vector<grpc::Service*>& services) {
  RouteGrpcLog();
  std::unique_ptr<TlsWatcher> tls;
  std::shared_ptr<grpc::ServerCredentials> credentials =
      grpc::InsecureServerCredentials();
  if (!config.tls.certificate.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(tls, TlsWatcher::Create(config.tls));
    credentials = WatchedCredentials(tls.get());
  }
  grpc::EnableDefaultHealthCheckService(false);
  const absl::StatusOr<Listener> listener =
      ListenOn(port.listen.host, port.listen.port);
  if (!listener.ok()) {
    return absl::UnavailableError(
        absl::StrCat(port.flag, ": must be an address that can be bound, got ",
                     port.listen.ToString()));
  }
  auto acceptor =
      std::make_unique<ConnectionAcceptor>(*listener, port.max_connections);
  grpc::ServerBuilder builder;
  SetTransport(config, builder);
  std::unique_ptr<ConnectionAcceptor::Door> door =
      builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::
              FROM_FD,
          credentials);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::UnavailableError("server: gRPC must be able to start");
  }
  acceptor->Start(std::move(door));
  return std::unique_ptr<GrpcServer>(
      new GrpcServer(std::move(tls), std::move(credentials), std::move(server),
                     std::move(acceptor)));
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
