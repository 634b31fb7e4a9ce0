// alignsae.v1.ModelService: what is loaded, and the tokenizer.
//
// Threads: gRPC's threads call the methods, which make a call and return; the
// lanes do the work (no step runs). A method that refuses does
// so through the reactor that it returns, never nullptr.
//
// Thread-safety: thread-safe. Must outlive the grpc::Server.

#ifndef ALIGNSAE_SERVER_GRPC_MODEL_SERVICE_H_
#define ALIGNSAE_SERVER_GRPC_MODEL_SERVICE_H_

#include "alignsae/v1/model_service.grpc.pb.h"
#include "server/api/rpc_env.h"
#include "server/grpc/arena_messages.h"

namespace alignsae {

class ModelServiceImpl final : public v1::ModelService::CallbackService {
 public:
  explicit ModelServiceImpl(const RpcEnv* env) : env_(env) {
    SetMessageAllocatorFor_Tokenize(&tokenize_messages_);
  }

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* ListConcepts(
      grpc::CallbackServerContext* context,
      const v1::ListConceptsRequest* request,
      v1::ListConceptsResponse* response) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Detokenize(
      grpc::CallbackServerContext* context,
      const v1::DetokenizeRequest* request,
      v1::DetokenizeResponse* response) override;

 private:
  const RpcEnv* const env_;
  ArenaMessages<v1::TokenizeRequest, v1::TokenizeResponse> tokenize_messages_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_MODEL_SERVICE_H_
