#include "client/lib/client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/servers.h"

namespace alignsae {
namespace {

// What has no details comes from gRPC itself, not from a server of ours.
absl::Status ToAbsl(const grpc::Status& status, const std::string& target) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      status.error_details().empty()) {
    return absl::UnavailableError(absl::StrCat(
        "no server answers at ", target,
        "; is alignsae-server running there? (", status.error_message(), ")"));
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

}  // namespace

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(
    const ClientOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = options.ca_pem;
  ssl.pem_cert_chain = options.certificate_pem;
  ssl.pem_private_key = options.key_pem;
  return grpc::SslCredentials(ssl);
}

Client::Client(ClientOptions options) : options_(std::move(options)) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(
      ServiceConfig(options_.target, /*retries=*/true));
  // What is no list of servers is gRPC's to refuse.
  const std::string target =
      TargetOf(options_.target).value_or(options_.target);
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(target, CredentialsOf(options_), arguments);
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
  if (!options_.token.empty()) {
    context->AddMetadata("authorization",
                         absl::StrCat("Bearer ", options_.token));
  }
  return context;
}

template <typename Response, typename Method, typename Request>
absl::StatusOr<Response> Client::Call(Method method, const Request& request) {
  std::unique_ptr<grpc::ClientContext> context = NewContext();
  Response response;
  const grpc::Status status = method(context.get(), request, &response);
  if (!status.ok()) return ToAbsl(status, options_.target);
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
ALIGNSAE_UNARY(concepts_, ExplainSlot)
ALIGNSAE_UNARY(steering_, Swap)
ALIGNSAE_UNARY(steering_, Complete)
ALIGNSAE_UNARY(steering_, FindAlpha)
ALIGNSAE_UNARY(operator_, ListCheckpoints)
ALIGNSAE_UNARY(operator_, LoadCheckpoint)
ALIGNSAE_UNARY(operator_, UnloadCheckpoint)
ALIGNSAE_UNARY(operator_, ReloadModel)
ALIGNSAE_UNARY(operator_, UnloadModel)
ALIGNSAE_UNARY(operator_, SetRollout)

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
  return ToAbsl(reader->Finish(), options_.target);
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

absl::Status Client::ReadConceptsStream(
    const std::function<std::optional<v1::ReadConceptsRequest>()>& next,
    const std::function<bool(const v1::ReadConceptsStreamResponse&)>&
        on_answer) {
  std::unique_ptr<grpc::ClientContext> context = NewContext();
  context->set_deadline(std::chrono::system_clock::time_point::max());
  const auto call = concepts_->ReadConceptsStream(context.get());
  std::thread writer([&] {
    v1::ReadConceptsStreamRequest request;
    while (std::optional<v1::ReadConceptsRequest> read = next()) {
      *request.mutable_read() = *std::move(read);
      if (!call->Write(request))
        return;  // The call has ended: Finish says why.
    }
    call->WritesDone();
  });
  v1::ReadConceptsStreamResponse answer;
  bool wanted = true;
  while (call->Read(&answer)) {
    if (wanted && !on_answer(answer)) {
      wanted = false;
      context->TryCancel();
    }
  }
  writer.join();
  return ToAbsl(call->Finish(), options_.target);
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

absl::Status Client::SwapMatrix(
    const v1::SwapMatrixRequest& request,
    const std::function<bool(const v1::SwapMatrixResponse&)>& on_event) {
  return Stream<v1::SwapMatrixResponse>(
      [&](grpc::ClientContext* context) {
        return steering_->SwapMatrix(context, request);
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

absl::Status Client::ValidateBinding(
    const v1::ValidateBindingRequest& request,
    const std::function<bool(const v1::ValidateBindingResponse&)>& on_event) {
  return Stream<v1::ValidateBindingResponse>(
      [&](grpc::ClientContext* context) {
        return concepts_->ValidateBinding(context, request);
      },
      on_event);
}

}  // namespace alignsae
