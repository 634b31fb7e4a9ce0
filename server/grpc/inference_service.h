// inference.GRPCInferenceService: what platforms such as KServe ask of every
// server (proto/inference/inference_service.proto).
//
// Threads: what asks for the server is answered on gRPC's own threads, as
// health is, so that a probe waits for no lane; what asks for a model is a call
// like others.
//
// Thread-safety: thread-safe. Must outlive the grpc::Server.

#ifndef ALIGNSAE_SERVER_GRPC_INFERENCE_SERVICE_H_
#define ALIGNSAE_SERVER_GRPC_INFERENCE_SERVICE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "inference/inference_service.grpc.pb.h"
#include "server/api/rpc_env.h"

namespace alignsae {

class InferenceServiceImpl final
    : public inference::GRPCInferenceService::CallbackService {
 public:
  // `ready`: whether requests can be answered now; from any thread, must not
  // block. `services`: those that the server has beside this one.
  InferenceServiceImpl(const RpcEnv* env, std::function<bool()> ready,
                       std::vector<std::string> services)
      : env_(env), ready_(std::move(ready)), services_(std::move(services)) {}

  grpc::ServerUnaryReactor* ServerLive(
      grpc::CallbackServerContext* context,
      const inference::ServerLiveRequest* request,
      inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(
      grpc::CallbackServerContext* context,
      const inference::ServerReadyRequest* request,
      inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(
      grpc::CallbackServerContext* context,
      const inference::ModelReadyRequest* request,
      inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(
      grpc::CallbackServerContext* context,
      const inference::ServerMetadataRequest* request,
      inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(
      grpc::CallbackServerContext* context,
      const inference::ModelMetadataRequest* request,
      inference::ModelMetadataResponse* response) override;

 private:
  const RpcEnv* const env_;
  const std::function<bool()> ready_;
  const std::vector<std::string> services_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_INFERENCE_SERVICE_H_
