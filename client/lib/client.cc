#include "client/lib/client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

namespace alignsae {
namespace {

// Retries follow gRFC A6; grpc-retry-pushback-ms from the server overrides the
// backoff.
constexpr char kServiceConfig[] = R"({
  "methodConfig": [{
    "name": [{}],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.1s",
      "maxBackoff": "2s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
    }
  }]
})";

absl::Status ToAbsl(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(
    const ClientOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = options.ca_pem;
  ssl.pem_cert_chain = options.certificate_pem;
  ssl.pem_private_key = options.key_pem;
  return grpc::SslCredentials(ssl);
}

}  // namespace

Client::Client(ClientOptions options) : options_(std::move(options)) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
      options_.target, Credentials(options_), arguments);
  model_ = v1::ModelService::NewStub(channel);
  concepts_ = v1::ConceptService::NewStub(channel);
  steering_ = v1::SteeringService::NewStub(channel);
  operator_ = v1::OperatorService::NewStub(channel);
}

std::unique_ptr<grpc::ClientContext> Client::NewContext() const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() +
                        absl::ToChronoMilliseconds(options_.timeout));
  if (!options_.request_id.empty()) {
    context->AddMetadata("x-request-id", options_.request_id);
  }
  if (!options_.client_id.empty()) {
    context->AddMetadata("x-client-id", options_.client_id);
  }
  return context;
}

template <typename Response, typename Method, typename Request>
absl::StatusOr<Response> Client::Call(Method method, const Request& request) {
  std::unique_ptr<grpc::ClientContext> context = NewContext();
  Response response;
  const grpc::Status status = method(context.get(), request, &response);
  if (!status.ok()) return ToAbsl(status);
  return response;
}

#define ALIGNSAE_UNARY(stub, name)                                       \
  absl::StatusOr<v1::name##Response> Client::name(                       \
      const v1::name##Request& request) {                                \
    return Call<v1::name##Response>(                                     \
        [this](grpc::ClientContext* context, const v1::name##Request& r, \
               v1::name##Response* response) {                           \
          return stub->name(context, r, response);                       \
        },                                                               \
        request);                                                        \
  }

ALIGNSAE_UNARY(model_, GetModel)
ALIGNSAE_UNARY(model_, ListConcepts)
ALIGNSAE_UNARY(model_, Tokenize)
ALIGNSAE_UNARY(model_, Detokenize)
ALIGNSAE_UNARY(concepts_, ReadConcepts)
ALIGNSAE_UNARY(concepts_, InspectSlots)
ALIGNSAE_UNARY(steering_, Swap)
ALIGNSAE_UNARY(steering_, Complete)
ALIGNSAE_UNARY(operator_, ListCheckpoints)
ALIGNSAE_UNARY(operator_, LoadCheckpoint)
ALIGNSAE_UNARY(operator_, UnloadCheckpoint)
ALIGNSAE_UNARY(operator_, ReloadModel)

#undef ALIGNSAE_UNARY

template <typename Response, typename Method>
absl::Status Client::Stream(
    Method method, const std::function<bool(const Response&)>& on_event) {
  std::unique_ptr<grpc::ClientContext> context = NewContext();
  std::unique_ptr<grpc::ClientReader<Response>> reader = method(context.get());
  Response event;
  bool wanted = true;
  while (reader->Read(&event)) {
    if (wanted && !on_event(event)) {
      wanted = false;
      context->TryCancel();
    }
  }
  return ToAbsl(reader->Finish());
}

absl::Status Client::Generate(
    const v1::GenerateRequest& request,
    const std::function<bool(const v1::GenerateResponse&)>& on_event) {
  return Stream<v1::GenerateResponse>(
      [&](grpc::ClientContext* context) {
        return steering_->Generate(context, request);
      },
      on_event);
}

absl::Status Client::SweepAlpha(
    const v1::SweepAlphaRequest& request,
    const std::function<bool(const v1::SweepAlphaResponse&)>& on_event) {
  return Stream<v1::SweepAlphaResponse>(
      [&](grpc::ClientContext* context) {
        return steering_->SweepAlpha(context, request);
      },
      on_event);
}

absl::Status Client::WatchSlots(
    const v1::WatchSlotsRequest& request,
    const std::function<bool(const v1::WatchSlotsResponse&)>& on_event) {
  return Stream<v1::WatchSlotsResponse>(
      [&](grpc::ClientContext* context) {
        return concepts_->WatchSlots(context, request);
      },
      on_event);
}

}  // namespace alignsae
