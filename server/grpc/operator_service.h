// alignsae.v1.OperatorService: changes what is served.
//
// Threads: gRPC's threads call the methods, which make a call and return; the
// lanes do the work. A method that refuses does so through the reactor that it
// returns, never nullptr.
//
// Thread-safety: thread-safe. Must outlive the grpc::Server.

#ifndef ALIGNSAE_SERVER_GRPC_OPERATOR_SERVICE_H_
#define ALIGNSAE_SERVER_GRPC_OPERATOR_SERVICE_H_

#include "alignsae/v1/operator_service.grpc.pb.h"
#include "server/api/rpc_env.h"

namespace alignsae {

class OperatorServiceImpl final : public v1::OperatorService::CallbackService {
 public:
  explicit OperatorServiceImpl(const RpcEnv* env) : env_(env) {}

  grpc::ServerUnaryReactor* ListCheckpoints(
      grpc::CallbackServerContext* context,
      const v1::ListCheckpointsRequest* request,
      v1::ListCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* LoadCheckpoint(
      grpc::CallbackServerContext* context,
      const v1::LoadCheckpointRequest* request,
      v1::LoadCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* UnloadCheckpoint(
      grpc::CallbackServerContext* context,
      const v1::UnloadCheckpointRequest* request,
      v1::UnloadCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* ReloadModel(
      grpc::CallbackServerContext* context,
      const v1::ReloadModelRequest* request,
      v1::ReloadModelResponse* response) override;
  grpc::ServerUnaryReactor* UnloadModel(
      grpc::CallbackServerContext* context,
      const v1::UnloadModelRequest* request,
      v1::UnloadModelResponse* response) override;
  grpc::ServerUnaryReactor* SetRollout(
      grpc::CallbackServerContext* context,
      const v1::SetRolloutRequest* request,
      v1::SetRolloutResponse* response) override;

 private:
  const RpcEnv* const env_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_OPERATOR_SERVICE_H_
