// alignsae.v1.SteeringService: generates, with or without interventions.
//
// Threads: gRPC's threads call the methods, which make a call and return; the
// lanes do the work (nothing here waits). A method that refuses does
// so through the reactor that it returns, never nullptr.
//
// Thread-safety: thread-safe. Must outlive the grpc::Server.

#ifndef ALIGNSAE_SERVER_GRPC_STEERING_SERVICE_H_
#define ALIGNSAE_SERVER_GRPC_STEERING_SERVICE_H_

#include "alignsae/v1/steering_service.grpc.pb.h"
#include "server/api/rpc_env.h"

namespace alignsae {

class SteeringServiceImpl final : public v1::SteeringService::CallbackService {
 public:
  explicit SteeringServiceImpl(const RpcEnv* env) : env_(env) {}

  grpc::ServerUnaryReactor* Swap(grpc::CallbackServerContext* context,
                                 const v1::SwapRequest* request,
                                 v1::SwapResponse* response) override;
  grpc::ServerUnaryReactor* Complete(grpc::CallbackServerContext* context,
                                     const v1::CompleteRequest* request,
                                     v1::CompleteResponse* response) override;
  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context,
      const v1::GenerateRequest* request) override;
  grpc::ServerWriteReactor<v1::SweepAlphaResponse>* SweepAlpha(
      grpc::CallbackServerContext* context,
      const v1::SweepAlphaRequest* request) override;
  grpc::ServerWriteReactor<v1::SwapMatrixResponse>* SwapMatrix(
      grpc::CallbackServerContext* context,
      const v1::SwapMatrixRequest* request) override;
  grpc::ServerUnaryReactor* FindAlpha(grpc::CallbackServerContext* context,
                                      const v1::FindAlphaRequest* request,
                                      v1::FindAlphaResponse* response) override;

 private:
  const RpcEnv* const env_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_STEERING_SERVICE_H_
