// Client: a small C++ client of the AlignSAE server.
//
// One Client holds one channel, with a connection to each address of its
// target; calls are blocking, each with its own deadline.
// UNAVAILABLE is retried by the channel (a server that starts or drains), and
// RESOURCE_EXHAUSTED after the pause that the server asks for; nothing else is.
//
// Thread-safety: all methods may be called from several threads.
// Errors: the server's status, code and sentence, as absl::Status.
//
// Example:
//   Client client({.target = "127.0.0.1:50051"});
//   alignsae::v1::SwapRequest request;
//   request.mutable_prompt()->set_question("Where was Ada Lunt born?");
//   request.mutable_target()->set_name("employer");
//   absl::StatusOr<alignsae::v1::SwapResponse> answer = client.Swap(request);

#ifndef ALIGNSAE_CLIENT_LIB_CLIENT_H_
#define ALIGNSAE_CLIENT_LIB_CLIENT_H_

#include <grpcpp/security/credentials.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "alignsae/v1/concept_service.grpc.pb.h"
#include "alignsae/v1/model_service.grpc.pb.h"
#include "alignsae/v1/operator_service.grpc.pb.h"
#include "alignsae/v1/steering_service.grpc.pb.h"

namespace alignsae {

struct ClientOptions {
  // host:port, several of them separated by commas, or any gRPC target
  // ("dns:///alignsae-server:50051"): calls take all their addresses in turn,
  // and go on when one dies (servers.h).
  std::string target = "127.0.0.1:50051";
  absl::Duration timeout = absl::Seconds(30);  // Of each call. > 0.
  std::string request_id;  // Sent as x-request-id; empty: the server makes one.
  // Sent as x-client-id: the server takes turns between clients. Empty: it goes
  // by the address.
  std::string client_id;
  // Sent as "authorization: Bearer ..."; empty: none. Whoever sees it may do
  // what its owner may: only with TLS, or to this host.
  std::string token;
  // TLS when `tls` is set: PEM contents. Empty `ca_pem` uses the system's
  // roots; certificate and key are for mutual TLS.
  bool tls = false;
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
};

// What a connection is made with, by `tls` and the PEM contents.
std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(
    const ClientOptions& options);

class Client {
 public:
  explicit Client(ClientOptions options);

  absl::StatusOr<v1::GetModelResponse> GetModel(
      const v1::GetModelRequest& request);
  absl::StatusOr<v1::ListConceptsResponse> ListConcepts(
      const v1::ListConceptsRequest& request);
  absl::StatusOr<v1::TokenizeResponse> Tokenize(
      const v1::TokenizeRequest& request);
  absl::StatusOr<v1::DetokenizeResponse> Detokenize(
      const v1::DetokenizeRequest& request);
  absl::StatusOr<v1::ReadConceptsResponse> ReadConcepts(
      const v1::ReadConceptsRequest& request);
  absl::StatusOr<v1::InspectSlotsResponse> InspectSlots(
      const v1::InspectSlotsRequest& request);
  absl::StatusOr<v1::ExplainSlotResponse> ExplainSlot(
      const v1::ExplainSlotRequest& request);
  absl::StatusOr<v1::SwapResponse> Swap(const v1::SwapRequest& request);
  absl::StatusOr<v1::CompleteResponse> Complete(
      const v1::CompleteRequest& request);
  absl::StatusOr<v1::FindAlphaResponse> FindAlpha(
      const v1::FindAlphaRequest& request);

  // Of the port for operators (--operator-listen): `target` is that one's then.
  // A load takes as long as it takes: give it a long timeout.
  absl::StatusOr<v1::ListCheckpointsResponse> ListCheckpoints(
      const v1::ListCheckpointsRequest& request);
  absl::StatusOr<v1::LoadCheckpointResponse> LoadCheckpoint(
      const v1::LoadCheckpointRequest& request);
  absl::StatusOr<v1::UnloadCheckpointResponse> UnloadCheckpoint(
      const v1::UnloadCheckpointRequest& request);
  absl::StatusOr<v1::ReloadModelResponse> ReloadModel(
      const v1::ReloadModelRequest& request);
  absl::StatusOr<v1::UnloadModelResponse> UnloadModel(
      const v1::UnloadModelRequest& request);
  absl::StatusOr<v1::SetRolloutResponse> SetRollout(
      const v1::SetRolloutRequest& request);

  // Calls `on_event` for each message of the stream; returning false cancels it
  // (the result is then CANCELLED).
  absl::Status Generate(
      const v1::GenerateRequest& request,
      const std::function<bool(const v1::GenerateResponse&)>& on_event);
  // Reads a corpus over one call that has no deadline of its own. `next` gives
  // the requests, on a thread of its own, until nullopt; the server takes them
  // as it can (bounded in flight). `on_answer` gets each answer or error as it
  // comes, in any order, on this thread; returning false cancels the call.
  absl::Status ReadConceptsStream(
      const std::function<std::optional<v1::ReadConceptsRequest>()>& next,
      const std::function<bool(const v1::ReadConceptsStreamResponse&)>&
          on_answer);
  absl::Status SweepAlpha(
      const v1::SweepAlphaRequest& request,
      const std::function<bool(const v1::SweepAlphaResponse&)>& on_event);
  absl::Status SwapMatrix(
      const v1::SwapMatrixRequest& request,
      const std::function<bool(const v1::SwapMatrixResponse&)>& on_event);
  // Ends with OK before the call's deadline; call it again to go on.
  absl::Status WatchSlots(
      const v1::WatchSlotsRequest& request,
      const std::function<bool(const v1::WatchSlotsResponse&)>& on_event);
  // Labelled prompts, or those of the bundle, read and swapped while the server
  // has nothing else to do; the report comes last.
  absl::Status ValidateBinding(
      const v1::ValidateBindingRequest& request,
      const std::function<bool(const v1::ValidateBindingResponse&)>& on_event);

 private:
  template <typename Response, typename Method, typename Request>
  absl::StatusOr<Response> Call(Method method, const Request& request);
  template <typename Response, typename Method>
  absl::Status Stream(Method method,
                      const std::function<bool(const Response&)>& on_event);
  std::unique_ptr<grpc::ClientContext> NewContext() const;

  ClientOptions options_;
  std::unique_ptr<v1::ModelService::Stub> model_;
  std::unique_ptr<v1::ConceptService::Stub> concepts_;
  std::unique_ptr<v1::SteeringService::Stub> steering_;
  std::unique_ptr<v1::OperatorService::Stub> operator_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LIB_CLIENT_H_
