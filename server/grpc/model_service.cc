#include "server/grpc/model_service.h"

#include <memory>
#include <utility>

#include "server/api/methods.h"
#include "server/api/model_rpcs.h"
#include "server/grpc/reactors.h"

namespace alignsae {

grpc::ServerUnaryReactor* ModelServiceImpl::GetModel(
    grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
    v1::GetModelResponse* response) {
  return RunUnary(
      env_, kRpcGetModel, context, [=](std::shared_ptr<Call> call, Done done) {
        alignsae::GetModel(std::move(call), request, response, std::move(done));
      });
}

grpc::ServerUnaryReactor* ModelServiceImpl::ListConcepts(
    grpc::CallbackServerContext* context,
    const v1::ListConceptsRequest* request,
    v1::ListConceptsResponse* response) {
  return RunUnary(env_, kRpcListConcepts, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::ListConcepts(std::move(call), request, response,
                                           std::move(done));
                  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::Tokenize(
    grpc::CallbackServerContext* context, const v1::TokenizeRequest* request,
    v1::TokenizeResponse* response) {
  return RunUnary(
      env_, kRpcTokenize, context, [=](std::shared_ptr<Call> call, Done done) {
        alignsae::Tokenize(std::move(call), request, response, std::move(done));
      });
}

grpc::ServerUnaryReactor* ModelServiceImpl::Detokenize(
    grpc::CallbackServerContext* context, const v1::DetokenizeRequest* request,
    v1::DetokenizeResponse* response) {
  return RunUnary(env_, kRpcDetokenize, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::Detokenize(std::move(call), request, response,
                                         std::move(done));
                  });
}

}  // namespace alignsae
